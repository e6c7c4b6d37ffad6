"""Exporters: the tables of an export in a file format."""

from biasloop.plugins.registry import Kind, register

register(Kind.EXPORTER, "csv", "biasloop.plugins.exporters.csv:Csv")
register(Kind.EXPORTER, "parquet", "biasloop.plugins.exporters.parquet:Parquet")
