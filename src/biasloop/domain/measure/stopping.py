"""Advises whether more labels are still worth their cost."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from biasloop.domain.measure.metric import Comparison, Flags

CriterionName = Literal["gain", "kappa", "change", "delta_f", "uncertainty"]


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """The settings of the advice: stop when all criteria named in `needs` are met.

    The criterion "gain" is met when the last `rounds` rounds gained less than `gain` macro-F1.
    """

    needs: tuple[CriterionName, ...]
    rounds: int
    gain: float


@dataclass(frozen=True, slots=True)
class Criterion:
    """The result of one criterion: `stop` is None if it cannot be measured; `says` is a message."""

    name: CriterionName
    stop: bool | None
    says: str


@dataclass(frozen=True, slots=True)
class Advice:
    """The advice after a round: `stop` is true if all criteria in `needs` are met."""

    model_id: str
    stop: bool
    needs: tuple[CriterionName, ...]
    criteria: tuple[Criterion, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def advise(
    model_id: str, criteria: Sequence[Criterion], needs: tuple[CriterionName, ...]
) -> Advice:
    """Advises to stop if every criterion in `needs` is met; one without a measurement is not."""
    stops = {criterion.name for criterion in criteria if criterion.stop}
    return Advice(model_id, set(needs) <= stops, needs, tuple(criteria))


ONE_VERDICT = (
    "cannot tell: a model gives every item the same verdict, which it would do without having "
    "learned anything"
)


def gives_one_verdict(flags: Flags) -> bool:
    """Whether a model's verdicts (n, k) are the same for every item."""
    return bool((flags == flags[:1]).all())


def gain_criterion(comparison: Comparison | None, stopping: StoppingRule) -> Criterion:
    """The criterion "gain": whether the last rounds surely gained less than `stopping.gain`.

    `comparison` compares the newest model with the model of `stopping.rounds` rounds earlier, on
    out-of-fold verdicts on items with human labels; None if there is no such model yet. "Surely"
    means that the upper bound of the two-sided 95 % interval of the gain is below `stopping.gain`.
    """
    if comparison is None:
        return Criterion("gain", None, f"{stopping.rounds} rounds with labels to compare on needed")
    if comparison.macro is None:
        return Criterion(
            "gain", None, f"too few positives among {comparison.n_items} items to tell"
        )
    gain = comparison.macro
    return Criterion(
        "gain",
        gain.high < stopping.gain,
        f"the last {stopping.rounds} rounds gained {gain.value:+.3f} "
        f"[{gain.low:+.3f}, {gain.high:+.3f}] "
        f"macro-F1 on {comparison.n_items} items of {comparison.n_roots} ads; "
        f"stops when surely below {stopping.gain}",
    )
