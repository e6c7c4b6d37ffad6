"""Expanders: make synthetic items from labelled train items."""
