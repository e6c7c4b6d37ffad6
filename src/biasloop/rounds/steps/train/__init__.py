"""AGGREGATED -> TRAINED: a new model version."""
