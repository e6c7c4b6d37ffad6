"""TRAINED -> EVALUATED: how good the new model is."""
