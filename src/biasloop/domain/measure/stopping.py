"""Whether it still pays to ask people for more labels."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from biasloop.domain.measure.metric import Comparison

CriterionName = Literal["gain", "kappa", "change", "delta_f", "uncertainty"]


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """What the advice goes by: it is to stop when all criteria named in `needs` say so.

    The criterion "gain" says so when the last `rounds` rounds gained less than `gain` macro-F1.
    """

    needs: tuple[CriterionName, ...]
    rounds: int
    gain: float


@dataclass(frozen=True, slots=True)
class Criterion:
    """What one criterion comes to: `stop` is None while it cannot tell; `says` is for people."""

    name: CriterionName
    stop: bool | None
    says: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What the criteria come to after a round: `stop` when all that are needed say so."""

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
    """To stop when every needed criterion says so; one that cannot tell says no."""
    stops = {criterion.name for criterion in criteria if criterion.stop}
    return Advice(model_id, set(needs) <= stops, needs, tuple(criteria))


def gain_criterion(found: Comparison | None, stopping: StoppingRule) -> Criterion:
    """Whether the last rounds gained less than wanted, with 95 % certainty.

    `found` compares the newest model with that of `stopping.rounds` rounds before, on out-of-fold
    verdicts over people's labels; None: there is no such model yet. Certain means that the upper
    bound of the two-sided 95 % interval of the gain is below `stopping.gain`.
    """
    if found is None:
        return Criterion("gain", None, f"{stopping.rounds} rounds with labels to compare on needed")
    if found.macro is None:
        return Criterion("gain", None, f"too few positives among {found.n_items} items to tell")
    g = found.macro
    return Criterion(
        "gain",
        g.high < stopping.gain,
        f"the last {stopping.rounds} rounds gained {g.value:+.3f} [{g.low:+.3f}, {g.high:+.3f}] "
        f"macro-F1 on {found.n_items} items of {found.n_roots} ads; "
        f"stops when surely below {stopping.gain}",
    )
