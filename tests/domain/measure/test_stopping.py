"""The advice when to stop labelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.measure.metric import Comparison
from biasloop.domain.measure.resample import Interval
from biasloop.domain.measure.stopping import Criterion, StoppingRule, advise, gain_criterion

STOPPING = StoppingRule(("gain", "kappa"), rounds=3, gain=0.02)
NAMES = st.sampled_from(["gain", "kappa", "change", "delta_f", "uncertainty"])


@given(
    st.dictionaries(NAMES, st.sampled_from([True, False, None])),
    st.lists(NAMES, min_size=1, unique=True),
)
def test_every_needed_criterion_must_be_met(stops, needs):
    criteria = [Criterion(name, stop, "…") for name, stop in stops.items()]
    advice = advise("r0003", criteria, tuple(needs))
    assert advice.stop == all(stops.get(name) is True for name in needs)
    assert len(advice.as_dict()["criteria"]) == len(stops)


@pytest.mark.parametrize(
    ("high", "stop"), [(0.019, True), (0.02, False), (0.05, False), (-0.01, True)]
)
def test_a_gain_must_be_surely_small(high, stop):
    comparison = Comparison({}, Interval(min(0.0, high), -0.3, high), ("age",), None, None, 90, 40)
    criterion = gain_criterion(comparison, STOPPING)
    assert criterion.stop is stop
    assert "the last 3 rounds gained" in criterion.says
    assert "on 90 items of 40 ads" in criterion.says


def test_without_evidence_a_gain_is_unknown():
    few = Comparison({}, None, (), None, None, 12, 9)
    for comparison, says in ((None, "3 rounds"), (few, "too few positives among 12 items")):
        criterion = gain_criterion(comparison, STOPPING)
        assert criterion.stop is None
        assert says in criterion.says
