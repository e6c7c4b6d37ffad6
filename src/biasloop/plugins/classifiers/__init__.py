"""Classifiers learn from the labels. docs/classifiers.md says which one to choose."""
