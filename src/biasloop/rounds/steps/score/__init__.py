"""EXPANDED -> SCORED: a model's opinion on every item."""
