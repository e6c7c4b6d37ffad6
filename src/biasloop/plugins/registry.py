"""Plug-ins by name: strategy, classifier, expander, exporter.

A plug-in is a file of its own with one `register` line. Factories are looked up by
"module:attribute" so that listing the names imports nothing heavy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from biasloop.errors import ConfigError, UnknownName


class Kind(StrEnum):
    """The four kinds of plug-in."""

    STRATEGY = "strategy"
    CLASSIFIER = "classifier"
    EXPANDER = "expander"
    EXPORTER = "exporter"


class Options(BaseModel):
    """Base of a plug-in's options: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Plugin:
    """`target` is "module:Class"; the class takes its options model as only argument."""

    kind: Kind
    name: str
    target: str
    options: str | None = None

    def load(self) -> type[Any]:
        """The class (imports its module)."""
        loaded: type[Any] = _resolve(self.target)
        return loaded

    def options_model(self) -> type[Options] | None:
        """The model of its options; None when it takes none."""
        model: type[Options] | None = _resolve(self.options) if self.options else None
        return model


_plugins: dict[tuple[Kind, str], Plugin] = {}


def register(kind: Kind, name: str, target: str, options: str | None = None) -> None:
    """Adds a plug-in. Raises ValueError when the name is taken."""
    if (kind, name) in _plugins:
        raise ValueError(f"{kind} {name!r} is registered twice")
    _plugins[kind, name] = Plugin(kind, name, target, options)


def names(kind: Kind) -> list[str]:
    """The known names of a kind, sorted."""
    return sorted(name for found, name in _plugins if found is kind)


def plugin(kind: Kind, name: str) -> Plugin:
    """The plug-in of that name. Raises UnknownName, listing the known ones."""
    try:
        return _plugins[kind, name]
    except KeyError:
        known = ", ".join(names(kind)) or "none"
        raise UnknownName(f"no {kind} is called {name!r}; known: {known}") from None


def create(kind: Kind, name: str, options: Mapping[str, Any] | None = None) -> Any:
    """An instance of that plug-in, its options checked.

    Raises UnknownName for the name, ConfigError for the options.
    """
    found = plugin(kind, name)
    model = found.options_model()
    if model is None:
        if options:
            raise ConfigError(f"{kind} {name!r} takes no options, got: {', '.join(options)}")
        return found.load()()
    try:
        return found.load()(model(**(options or {})))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in error.errors()
        )
        raise ConfigError(f"options of {kind} {name!r}: {wrong}") from None


def _resolve(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
