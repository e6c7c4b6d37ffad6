"""A workspace with all its parts, and what is done to it."""
