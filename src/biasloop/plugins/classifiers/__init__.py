"""Classifiers: what learns from the labels. docs/classifiers.md says which for what."""
