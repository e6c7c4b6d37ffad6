"""TRAINED -> EVALUATED: measures the new model."""
