"""Classifiers: one file and one register line each."""

from pathlib import Path

from biasloop.plugins.registry import Kind, plugin, register
from biasloop.ports import Classifier

register(
    Kind.CLASSIFIER,
    "tfidf",
    "biasloop.plugins.classifiers.tfidf:Tfidf",
    "biasloop.plugins.classifiers.options:TfidfOptions",
)
register(
    Kind.CLASSIFIER,
    "embedding",
    "biasloop.plugins.classifiers.embedding:Embedding",
    "biasloop.plugins.classifiers.options:EmbeddingOptions",
)
register(
    Kind.CLASSIFIER,
    "transformer",
    "biasloop.plugins.classifiers.transformer:Transformer",
    "biasloop.plugins.classifiers.options:TransformerOptions",
)


def load(name: str, folder: Path) -> Classifier:
    """A saved model of the classifier of that name."""
    loaded: Classifier = plugin(Kind.CLASSIFIER, name).load().load(folder)
    return loaded
