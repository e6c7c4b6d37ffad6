"""What the shell offers for options with few possible values. Nothing here opens a workspace."""

from collections.abc import Iterator

from biasloop.domain.label import LabelSource

IMPORTED = (LabelSource.SEED, LabelSource.HUMAN, LabelSource.GOLD)
"""Whose labels a file may hold."""


def campaigns() -> list[str]:
    """The campaigns that ship with biasloop; the shell adds folders."""
    from biasloop.workspace.campaign import shipped_names

    return shipped_names()


def label_sources() -> list[str]:
    """Whose labels `import` takes."""
    return [str(source) for source in IMPORTED]


def units() -> list[str]:
    """What `import` makes of an ad."""
    return ["sentence", "text"]


def formats() -> list[str]:
    """The exporters."""
    from biasloop.plugins.registry import Kind, names

    return names(Kind.EXPORTER)


def classifiers() -> list[str]:
    """The classifiers."""
    from biasloop.plugins.registry import Kind, names

    return names(Kind.CLASSIFIER)


def metrics() -> list[str]:
    """By what `simulate` counts the labels saved."""
    from biasloop.domain.measure.curve import METRICS

    return list(METRICS)


def strategies(incomplete: str) -> Iterator[str]:
    """The strategies, after those that stand before the last comma."""
    from biasloop.plugins.registry import Kind, names

    before, comma, _ = incomplete.rpartition(",")
    return (f"{before}{comma}{name}" for name in names(Kind.STRATEGY))
