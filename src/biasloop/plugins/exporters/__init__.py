"""Exporters: write the tables of an export in a file format."""
