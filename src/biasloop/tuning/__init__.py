"""Tunings: adapters of language models that learn from what a campaign knows."""
