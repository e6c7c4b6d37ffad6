"""Classifiers: one file and one register line each."""

from pathlib import Path

from biasloop.ports import Classifier
from biasloop.registry import Kind, plugin, register

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


def load(name: str, folder: Path) -> Classifier:
    """A saved model of the classifier of that name."""
    loaded: Classifier = plugin(Kind.CLASSIFIER, name).load().load(folder)
    return loaded
