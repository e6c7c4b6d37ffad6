"""Benchmarks: one command each, results on committed pages."""
