"""Classifiers: one file and one register line each."""

from biasloop.registry import Kind, register

register(
    Kind.CLASSIFIER,
    "tfidf",
    "biasloop.classifiers.tfidf:Tfidf",
    "biasloop.classifiers.options:TfidfOptions",
)
register(
    Kind.CLASSIFIER,
    "embedding",
    "biasloop.classifiers.embedding:Embedding",
    "biasloop.classifiers.options:EmbeddingOptions",
)
register(
    Kind.CLASSIFIER,
    "transformer",
    "biasloop.classifiers.transformer:Transformer",
    "biasloop.classifiers.options:TransformerOptions",
)
