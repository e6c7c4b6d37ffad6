"""Decides whether the newest model goes into service."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from biasloop.domain.measure.metric import Comparison
from biasloop.domain.measure.resample import Interval

MAX_LOSS = 0.03
"""A newer model is kept out only if its loss in macro-F1 is shown to exceed this."""


@dataclass(frozen=True, slots=True)
class PromotionDecision:
    """Whether a model goes into service, and the evidence.

    `difference` is its macro-F1 minus that of `against`, the model in service before it, over the
    labels with enough positives, on `n_items` items of `n_roots` roots; None if it could not be
    measured.
    """

    model_id: str
    against: str | None
    promoted: bool
    why: str
    difference: Interval | None
    n_items: int
    n_roots: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def decide_promotion(
    model_id: str, against: str | None, comparison: Comparison | None, *, auto: bool
) -> PromotionDecision:
    """Puts the newest model into service unless the lower 95 % bound of its loss exceeds MAX_LOSS.

    Keeping it out takes evidence, promoting it does not: it has learned from more labels, and a few
    items cannot show much either way. `comparison` compares it with `against` on out-of-fold
    predictions for train items that both learned from; None if there are none. Without `auto` the
    model is not promoted: an engineer decides, and `why` states the evidence.
    """
    difference = comparison.macro if comparison else None
    loses = difference is not None and -difference.high > MAX_LOSS
    n_items, n_roots = (comparison.n_items, comparison.n_roots) if comparison else (0, 0)
    return PromotionDecision(
        model_id=model_id,
        against=against,
        promoted=auto and not loses,
        why=f"{_evidence(against, comparison)} (n = {n_items} items of {n_roots} roots)"
        + ("" if auto else "; loop.promote is manual"),
        difference=difference,
        n_items=n_items,
        n_roots=n_roots,
    )


def is_refused(decision: Mapping[str, Any]) -> bool:
    """Whether a model was kept out because it was shown to be worse; `decision` is what `as_dict`
    returned. One that waits for an engineer's decision is not refused."""
    difference = decision["difference"]
    worse = difference is not None and -difference["high"] > MAX_LOSS
    return worse and not decision["promoted"]


def _evidence(against: str | None, comparison: Comparison | None) -> str:
    if against is None:
        return "no model was in service"
    if comparison is None:
        return f"no out-of-fold predictions to compare with {against}'s"
    if comparison.macro is None:
        return f"too few positives to compare with {against}"
    difference = comparison.macro
    article = "a" if -difference.high > MAX_LOSS else "no"
    return (
        f"macro-F1 {difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}] "
        f"against {against} over {len(comparison.macro_over)} labels, out of fold: "
        f"{article} loss above {MAX_LOSS} is shown"
    )
