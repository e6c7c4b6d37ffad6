"""Measures what a strategy saves, by running the loop without Label Studio on labelled data."""
