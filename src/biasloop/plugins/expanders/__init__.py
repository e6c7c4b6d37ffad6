"""Expanders: make synthetic items out of labelled train items."""
