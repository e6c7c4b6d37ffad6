"""Plans which cells of the corpus the next texts should fill: those with the greatest deficit."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from biasloop.domain.writing.synthesis import Cell


@dataclass(frozen=True, slots=True)
class Axes:
    """The possible values of a cell: sectors, registers, and the forms of each label that has
    any."""

    sectors: tuple[str, ...] = ()
    registers: tuple[str, ...] = ()
    forms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def plan_cells(
    existing: Iterable[Cell],
    errors: Mapping[str, float],
    axes: Axes,
    n: int,
    rng: np.random.Generator,
) -> list[Cell]:
    """Plans n texts; returns the cell of each.

    `existing` holds a cell for each label of each existing text. `errors` holds the out-of-fold
    error of each label in [0, 1]; 1 if it could not be measured. Each text goes to the label with
    the highest error / (texts + 1), where planned texts count as well, so that the numbers of texts
    become proportional to the errors (highest averages method, D'Hondt 1882). Within the label,
    each axis gets the value with the fewest texts. Ties are broken at random.
    """
    labels = _shuffled(list(errors), rng)
    sectors, registers = _shuffled(axes.sectors, rng), _shuffled(axes.registers, rng)
    counts: Counter[tuple[str, ...]] = Counter()

    def count(cell: Cell) -> None:
        counts.update(
            [
                (cell.label,),
                (cell.label, "sector", cell.sector),
                (cell.label, "register", cell.register),
                (cell.label, "form", cell.form),
            ]
        )

    def rarest(label: str, axis: str, values: Sequence[str]) -> str:
        return min(values, key=lambda value: counts[label, axis, value], default="")

    for cell in existing:
        count(cell)
    planned = []
    for _ in range(n if labels else 0):
        label = max(labels, key=lambda name: errors[name] / (counts[(name,)] + 1))
        forms = axes.forms.get(label, ())
        cell = Cell(
            label,
            rarest(label, "sector", sectors),
            rarest(label, "register", registers),
            rarest(label, "form", forms),
        )
        count(cell)
        planned.append(cell)
    return planned


def _shuffled(values: Sequence[str], rng: np.random.Generator) -> list[str]:
    ordered = sorted(values)
    return [ordered[i] for i in rng.permutation(len(ordered))]


def label_errors(
    labels: Sequence[str], measured: Mapping[str, Mapping[str, object]] | None
) -> dict[str, float]:
    """The out-of-fold error 1 - F1 of each label, from the figures by label of a model's card.

    A label that was not measured has error 1: it has too few texts, so it needs new ones most.
    """
    errors = dict.fromkeys(labels, 1.0)
    for label, figures in (measured or {}).items():
        f1 = figures.get("f1")
        if label in errors and isinstance(f1, Mapping):
            errors[label] = 1.0 - float(f1["value"])
    return errors
