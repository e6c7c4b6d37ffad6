"""Whether the newest model goes into service."""

from dataclasses import asdict, dataclass
from typing import Any

from biasloop.domain.measure.metric import Comparison
from biasloop.domain.measure.resample import Interval

MAX_LOSS = 0.03
"""Loss in macro-F1 that must be shown before a newer model is kept out."""


@dataclass(frozen=True, slots=True)
class PromotionDecision:
    """Whether a model goes into service, and on what evidence.

    `difference` is its macro-F1 minus that of `against`, the model in service before it, over the
    labels with enough positives among `n_items` of `n_roots`; None: it could not be told.
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
    model_id: str, against: str | None, found: Comparison | None, *, auto: bool
) -> PromotionDecision:
    """The newest model goes into service unless the lower 95 % bound of its loss is above MAX_LOSS.

    It takes evidence to keep it out, not to let it in: it has learned from more labels, and few
    items can show little either way. `found` compares it with `against` by out-of-fold
    predictions of train items that both learned from; None: there is nothing to compare. Unless
    `auto`, a person decides, and `why` only says what there is to go by.
    """
    difference = found.macro if found else None
    loses = difference is not None and -difference.high > MAX_LOSS
    n_items, n_roots = (found.n_items, found.n_roots) if found else (0, 0)
    return PromotionDecision(
        model_id=model_id,
        against=against,
        promoted=auto and not loses,
        why=f"{_evidence(against, found)} (n = {n_items} items of {n_roots} roots)"
        + ("" if auto else "; loop.promote is manual"),
        difference=difference,
        n_items=n_items,
        n_roots=n_roots,
    )


def _evidence(against: str | None, found: Comparison | None) -> str:
    if against is None:
        return "no model was in service"
    if found is None:
        return f"no out-of-fold predictions to compare with {against}'s"
    if found.macro is None:
        return f"too few positives to compare with {against}"
    d = found.macro
    shown = "a" if -d.high > MAX_LOSS else "no"
    return (
        f"macro-F1 {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}] against {against} over "
        f"{len(found.macro_over)} labels, out of fold: {shown} loss above {MAX_LOSS} is shown"
    )
