"""What joins terms and the states of a pretrained model in one linear model."""
