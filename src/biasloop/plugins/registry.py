"""Plug-ins by name: the table of all strategies, classifiers, expanders and exporters.

A plug-in is a file of its own and one line of this table. Targets are written "module:attribute",
so that listing the names imports nothing heavy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from biasloop.errors import ConfigError, UnknownName, describe_problems
from biasloop.ports import Classifier


class Kind(StrEnum):
    """The four kinds of plug-in."""

    STRATEGY = "strategy"
    CLASSIFIER = "classifier"
    EXPANDER = "expander"
    EXPORTER = "exporter"


class Options(BaseModel):
    """Base of a plug-in's options: frozen; unknown keys are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Plugin:
    """`target` is "module:Class"; the class takes its options model as only argument."""

    kind: Kind
    name: str
    target: str
    options: str | None = None

    def load(self) -> type[Any]:
        """Imports the module and returns the class."""
        loaded: type[Any] = _resolve(self.target)
        return loaded

    def options_model(self) -> type[Options] | None:
        """The model of its options; None when it takes none."""
        model: type[Options] | None = _resolve(self.options) if self.options else None
        return model


def _row(kind: Kind, name: str, target: str, options: str = "") -> Plugin:
    """One row of the table; `target` and `options` are "file:Class" in the folder of the kind."""
    folder = f"biasloop.plugins.{_FOLDERS[kind]}"
    return Plugin(kind, name, f"{folder}.{target}", f"{folder}.{options}" if options else None)


_FOLDERS = {
    Kind.STRATEGY: "strategies",
    Kind.CLASSIFIER: "classifiers",
    Kind.EXPANDER: "expanders",
    Kind.EXPORTER: "exporters",
}

TABLE = (
    _row(Kind.STRATEGY, "auto", "auto:Auto"),
    _row(Kind.STRATEGY, "random", "small_text:Random"),
    _row(Kind.STRATEGY, "breaking_ties", "uncertainty:BreakingTies"),
    _row(Kind.STRATEGY, "entropy", "uncertainty:Entropy"),
    _row(Kind.STRATEGY, "margin_to_border", "uncertainty:MarginToBorder"),
    _row(Kind.STRATEGY, "rarity", "uncertainty:Rarity"),
    _row(Kind.STRATEGY, "bald", "uncertainty:Bald"),
    _row(Kind.STRATEGY, "fisher", "fisher:Fisher"),
    _row(Kind.STRATEGY, "coreset", "coreset:Coreset"),
    _row(Kind.STRATEGY, "embedding_kmeans", "kmeans:EmbeddingKMeans"),
    _row(Kind.STRATEGY, "contrastive", "contrastive:Contrastive"),
    _row(Kind.STRATEGY, "subsample", "combined:Subsample", "combined:SubsampleOptions"),
    _row(Kind.STRATEGY, "softrank", "combined:SoftRank", "combined:SoftRankOptions"),
    _row(
        Kind.STRATEGY,
        "cluster_diverse",
        "combined:ClusterDiverse",
        "combined:ClusterDiverseOptions",
    ),
    _row(Kind.CLASSIFIER, "tfidf", "tfidf:Tfidf", "options:TfidfOptions"),
    _row(Kind.CLASSIFIER, "embedding", "embedding:Embedding", "options:EmbeddingOptions"),
    _row(Kind.CLASSIFIER, "transformer", "transformer:Transformer", "options:TransformerOptions"),
    _row(
        Kind.EXPANDER,
        "counterfactual",
        "counterfactual:Counterfactual",
        "counterfactual:CounterfactualOptions",
    ),
    _row(Kind.EXPANDER, "llm", "llm:Llm", "llm:LlmOptions"),
    _row(Kind.EXPORTER, "csv", "csv:Csv", "csv:CsvOptions"),
    _row(Kind.EXPORTER, "datasets", "datasets:Datasets"),
    _row(Kind.EXPORTER, "jsonl", "jsonl:JsonLines"),
    _row(Kind.EXPORTER, "parquet", "parquet:Parquet"),
    _row(Kind.EXPORTER, "xlsx", "xlsx:Xlsx"),
)

_plugins = {(row.kind, row.name): row for row in TABLE}


def register(kind: Kind, name: str, target: str, options: str | None = None) -> None:
    """Adds a plug-in from outside this package. Raises ValueError when the name is taken."""
    if (kind, name) in _plugins:
        raise ValueError(f"{kind} {name!r} is registered twice")
    _plugins[kind, name] = Plugin(kind, name, target, options)


def names(kind: Kind) -> list[str]:
    """The names of all registered plug-ins of a kind, sorted."""
    return sorted(name for plugin_kind, name in _plugins if plugin_kind is kind)


def plugin(kind: Kind, name: str) -> Plugin:
    """The plug-in of that name. Raises UnknownName, which lists the registered names."""
    try:
        return _plugins[kind, name]
    except KeyError:
        known = ", ".join(names(kind)) or "none"
        raise UnknownName(f"no {kind} is called {name!r}; known: {known}") from None


def create(kind: Kind, name: str, options: Mapping[str, Any] | None = None) -> Any:
    """An instance of that plug-in, its options checked.

    Raises UnknownName when there is no such plug-in, ConfigError when its options are wrong.
    """
    checked = check_options(kind, name, options)
    build = plugin(kind, name).load()
    return build() if checked is None else build(checked)


def check_options(
    kind: Kind, name: str, options: Mapping[str, Any] | None = None
) -> Options | None:
    """The options as the plug-in takes them; None when it takes none. Its class is not loaded.

    Raises UnknownName for the name, ConfigError for the options.
    """
    model = plugin(kind, name).options_model()
    if model is None:
        if options:
            raise ConfigError(f"{kind} {name!r} takes no options, got: {', '.join(options)}")
        return None
    try:
        return model(**(options or {}))
    except ValidationError as error:
        problems = describe_problems(error.errors(), model.model_fields)
        raise ConfigError(f"options of {kind} {name!r}: {problems}") from None


def load_classifier(name: str, folder: Path) -> Classifier:
    """A saved model of the classifier of that name. Raises ClassifierError for a damaged one."""
    classifier: Classifier = plugin(Kind.CLASSIFIER, name).load().load(folder)
    return classifier


def _resolve(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
