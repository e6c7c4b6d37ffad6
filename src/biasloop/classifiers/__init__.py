"""Classifiers: one file and one register line each."""

from biasloop.registry import Kind, register

register(
    Kind.CLASSIFIER,
    "tfidf",
    "biasloop.classifiers.tfidf:Tfidf",
    "biasloop.classifiers.tfidf:TfidfOptions",
)
register(
    Kind.CLASSIFIER,
    "embedding",
    "biasloop.classifiers.embedding:Embedding",
    "biasloop.classifiers.embedding:EmbeddingOptions",
)
register(
    Kind.CLASSIFIER,
    "transformer",
    "biasloop.classifiers.transformer:Transformer",
    "biasloop.classifiers.transformer:TransformerOptions",
)
