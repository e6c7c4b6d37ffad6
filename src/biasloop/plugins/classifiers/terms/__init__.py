"""Texts as weighted terms."""
