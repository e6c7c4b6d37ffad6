"""Completion in the shell, for options with few possible values. Nothing here opens a workspace."""

from collections.abc import Iterator

from biasloop.domain.label import LabelSource

IMPORTED = (LabelSource.SEED, LabelSource.HUMAN, LabelSource.GOLD)
"""Sources of the labels that an imported file may contain."""


def campaigns() -> list[str]:
    """Campaigns that ship with biasloop; the shell itself completes folders."""
    from biasloop.workspace.campaign import shipped_names

    return shipped_names()


def label_sources() -> list[str]:
    """Sources of labels that `import` accepts."""
    return [str(source) for source in IMPORTED]


def units() -> list[str]:
    """Units into which `import` can cut an ad."""
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
    """Metrics by which `simulate` can count the labels saved."""
    from biasloop.domain.measure.curve import METRICS

    return list(METRICS)


def strategies(incomplete: str) -> Iterator[str]:
    """The strategies, each after the names that are typed already (up to the last comma)."""
    from biasloop.plugins.registry import Kind, names

    before, comma, _ = incomplete.rpartition(",")
    return (f"{before}{comma}{name}" for name in names(Kind.STRATEGY))
