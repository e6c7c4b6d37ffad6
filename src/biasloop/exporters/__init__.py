"""Exporters: the tables of an export in a file format."""

from biasloop.registry import Kind, register

register(Kind.EXPORTER, "csv", "biasloop.exporters.csv:Csv")
register(Kind.EXPORTER, "parquet", "biasloop.exporters.parquet:Parquet")
