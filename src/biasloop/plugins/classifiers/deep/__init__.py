"""What the classifiers on pretrained models share: `embedding` and `transformer`."""
