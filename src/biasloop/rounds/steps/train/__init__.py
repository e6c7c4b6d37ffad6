"""AGGREGATED -> TRAINED: trains a new model version."""
