"""EXPANDED -> SCORED: scores the items of the pool with a model."""
