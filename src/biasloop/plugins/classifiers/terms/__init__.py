"""Represents texts as weighted terms."""
