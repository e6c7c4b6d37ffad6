"""Shared by the classifiers on pretrained models, `embedding` and `transformer`."""
