"""Strategies, classifiers, expanders and exporters, and the registry that names them."""
