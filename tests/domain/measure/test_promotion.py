"""Promotion: only a loss that is shown keeps the newest model out of service."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.measure.metric import Comparison, compare
from biasloop.domain.measure.promotion import MAX_LOSS, decide_promotion
from biasloop.domain.measure.resample import Interval


def comparison_with(macro: Interval | None) -> Comparison:
    return Comparison({}, macro, ("age", "gender"), None, None, 90, 40)


@given(
    st.tuples(*[st.floats(-1, 1)] * 3).map(sorted).map(lambda b: Interval(b[1], b[0], b[2])),
    st.booleans(),
)
def test_only_a_loss_shown_by_its_lower_bound_keeps_a_model_out(difference, auto):
    decision = decide_promotion("new", "old", comparison_with(difference), auto=auto)
    shown = -difference.high > MAX_LOSS
    assert decision.promoted == (auto and not shown)
    assert (f"a loss above {MAX_LOSS} is shown" in decision.why) == shown
    assert ("loop.promote is manual" in decision.why) == (not auto)


@pytest.mark.parametrize(
    ("against", "comparison", "why"),
    [
        (None, None, "no model was in service (n = 0 items of 0 roots)"),
        ("r0003", None, "no out-of-fold predictions to compare with r0003's (n = 0 items"),
        (
            "r0003",
            comparison_with(None),
            "too few positives to compare with r0003 (n = 90 items of 40 roots)",
        ),
    ],
)
def test_without_evidence_the_newest_is_promoted(against, comparison, why):
    decision = decide_promotion("r0004", against, comparison, auto=True)
    assert decision.promoted
    assert decision.difference is None
    assert decision.why.startswith(why)


def test_the_reason_states_the_figures():
    decision = decide_promotion(
        "b", "a", comparison_with(Interval(-0.07, -0.09, -0.041)), auto=True
    )
    assert decision.why == (
        "macro-F1 -0.070 [-0.090, -0.041] against a over 2 labels, out of fold: "
        "a loss above 0.03 is shown (n = 90 items of 40 roots)"
    )
    assert decision.as_dict()["difference"] == {"value": -0.07, "low": -0.09, "high": -0.041}


@pytest.mark.parametrize(("errors", "promoted"), [(0.5, False), (0.22, True), (0.2, True)])
def test_only_a_real_loss_keeps_a_model_out(errors, promoted):
    """The model in service errs on a fifth of the items."""
    rng = np.random.default_rng(3)
    truth = (rng.random((600, 2)) < 0.4).astype(np.int8)

    def flags(rate):
        return (truth == 1) ^ (rng.random(truth.shape) < rate)

    roots = np.array([f"ad-{i // 3}" for i in range(600)])
    comparison = compare(
        truth, flags(0.2), flags(errors), roots, ["a", "b"], multi=True, seed=0, resamples=200
    )
    assert decide_promotion("new", "old", comparison, auto=True).promoted == promoted
