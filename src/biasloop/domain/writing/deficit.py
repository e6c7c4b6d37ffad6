"""Where the corpus is thin: which cells the next texts shall fill."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from biasloop.domain.writing.synthesis import Cell


@dataclass(frozen=True, slots=True)
class Axes:
    """What cells there are: values of each axis; `forms` by label, for those that have any."""

    sectors: tuple[str, ...] = ()
    registers: tuple[str, ...] = ()
    forms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def plan_cells(
    known: Iterable[Cell],
    errors: Mapping[str, float],
    axes: Axes,
    n: int,
    rng: np.random.Generator,
) -> list[Cell]:
    """n cells to fill, one text each.

    `known` has a cell for each label of each text there is; `errors` the out-of-fold error of
    each label in [0, 1], 1 where it could not be measured. Each text goes to the label with the
    highest error / (texts + 1), where the texts planned so far count, too: labels grow until they
    stand in proportion to their errors (the highest averages method, D'Hondt 1882). Within the
    label each axis takes the value with the fewest texts. Ties are broken by chance.
    """
    labels = _shuffled(list(errors), rng)
    sectors, registers = _shuffled(axes.sectors, rng), _shuffled(axes.registers, rng)
    have: Counter[tuple[str, ...]] = Counter()

    def count(cell: Cell) -> None:
        have.update(
            [
                (cell.label,),
                (cell.label, "sector", cell.sector),
                (cell.label, "register", cell.register),
                (cell.label, "form", cell.form),
            ]
        )

    def least(label: str, axis: str, values: Sequence[str]) -> str:
        return min(values, key=lambda value: have[label, axis, value], default="")

    for cell in known:
        count(cell)
    planned = []
    for _ in range(n if labels else 0):
        label = max(labels, key=lambda name: errors[name] / (have[(name,)] + 1))
        forms = axes.forms.get(label, ())
        cell = Cell(
            label,
            least(label, "sector", sectors),
            least(label, "register", registers),
            least(label, "form", forms),
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
    """Out-of-fold error by label, 1 - F1, from the cells of a model's card; 1 without a measure:
    what cannot be measured yet is what is most wanted."""
    errors = dict.fromkeys(labels, 1.0)
    for label, cell in (measured or {}).items():
        f1 = cell.get("f1")
        if label in errors and isinstance(f1, Mapping):
            errors[label] = 1.0 - float(f1["value"])
    return errors
