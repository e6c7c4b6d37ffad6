"""Votes of annotators: which count, what they agree on, and how reliable they are."""
