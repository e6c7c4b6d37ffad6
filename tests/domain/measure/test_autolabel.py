"""Labelling by machine at a stated risk: the certificate."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from biasloop.domain.measure.autolabel import (
    AuditFrame,
    binomial_cdf,
    certify,
    chance_of_one_per_ad,
)

RISK, DELTA = 0.05, 0.1


def frame(rng: np.random.Generator, wrong: np.ndarray, per_ad: int = 1) -> AuditFrame:
    """An audit, with unequal chances, of items whose confidences fall."""
    n = len(wrong)
    chance = rng.uniform(0.1, 0.3, n)
    return AuditFrame(
        confidence=np.linspace(1, 0.5, n),
        chance=chance,
        ads=np.arange(n) // per_ad,
        answered=rng.random(n) < chance,
        wrong=wrong,
        ticket=rng.random(n),
    )


@given(st.integers(0, 300), st.floats(0.001, 0.999), st.data())
def test_the_binomial_distribution_is_that_of_scipy(n: int, p: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    assert binomial_cdf(k, n, p) == pytest.approx(binom.cdf(k, n, p), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_the_chance_of_being_kept_is_how_often_it_is(chances: list[float], seed: int) -> None:
    rng, n, chance = np.random.default_rng(seed), 20_000, np.array(chances)
    drawn = rng.random((n, len(chance))) < chance
    kept = np.where(drawn, rng.random(drawn.shape), 2).argmin(axis=1)
    times = np.bincount(kept[drawn.any(axis=1)], minlength=len(chance)) / n
    expected = chance * chance_of_one_per_ad(chance, np.zeros(len(chance), np.int64))
    np.testing.assert_allclose(times, expected, atol=5 * np.sqrt(0.25 / n))


def test_a_model_that_is_right_labels_everything() -> None:
    rng = np.random.default_rng(0)
    audit = frame(rng, np.zeros(3000, dtype=bool))
    certificate = certify(audit, audit.confidence, RISK, DELTA)
    assert certificate.chosen is not None
    assert certificate.chosen.share == 1
    assert certificate.chosen.errors == 0


def test_only_the_sure_part_is_labelled_where_the_rest_is_wrong() -> None:
    rng = np.random.default_rng(0)
    audit = frame(rng, (np.arange(4000) >= 2400) & (rng.random(4000) < 0.5))
    certificate = certify(audit, audit.confidence, RISK, DELTA)
    assert certificate.chosen is not None
    assert 0.5 <= certificate.chosen.share <= 0.7
    assert [step.p_value <= DELTA for step in certificate.tested] == [
        *[True] * (len(certificate.tested) - 1),
        False,
    ]


def test_too_small_an_audit_says_how_many_labels_it_takes() -> None:
    rng = np.random.default_rng(0)
    small = frame(rng, np.zeros(300, dtype=bool))
    certificate = certify(small, small.confidence, RISK, DELTA)
    assert certificate.chosen is None
    assert certificate.needed is not None
    labels = int(small.answered.sum())
    assert labels < certificate.needed < 10 * labels
    large = frame(rng, np.zeros(math.ceil(300 * certificate.needed / labels), dtype=bool))
    assert certify(large, large.confidence, RISK, DELTA).chosen is not None


def test_too_few_ads_say_how_many_it_takes() -> None:
    rng = np.random.default_rng(0)
    audit = frame(rng, np.zeros(400, dtype=bool), per_ad=20)
    certificate = certify(audit, audit.confidence, RISK, DELTA)
    assert (certificate.chosen, certificate.needed) == (None, None)
    assert certificate.needed_ads is not None
    assert certificate.needed_ads > 20


def test_a_useless_model_is_refused_without_a_number() -> None:
    rng = np.random.default_rng(0)
    audit = frame(rng, rng.random(4000) < 0.4)
    certificate = certify(audit, audit.confidence, RISK, DELTA)
    assert (certificate.chosen, certificate.needed) == (None, None)


def test_nothing_audited_nothing_scored() -> None:
    empty = np.zeros(0)
    nothing = AuditFrame(empty, empty, empty.astype(int), empty > 0, empty > 0, empty)
    certificate = certify(nothing, empty, RISK, DELTA)
    assert (certificate.chosen, certificate.needed) == (None, None)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_what_is_kept_is_from_different_ads_and_more_errors_never_label_more(
    seed: int, per_ad: int
) -> None:
    rng = np.random.default_rng(seed)
    audit = frame(rng, rng.random(3000) < 0.01, per_ad)
    before = certify(audit, audit.confidence, RISK, DELTA)
    for step in before.tested:
        region = audit.answered & (audit.confidence >= step.confidence)
        assert step.errors <= step.kept <= len(np.unique(audit.ads[region]))
    worse = replace(audit, wrong=audit.wrong | (rng.random(3000) < 0.02))
    after = certify(worse, worse.confidence, RISK, DELTA)
    shares = [c.chosen.share if c.chosen else 0.0 for c in (before, after)]
    assert shares[1] <= shares[0]


@pytest.mark.parametrize("per_ad", [1, 4])
def test_at_the_border_the_bound_is_broken_as_often_as_it_may(per_ad: int) -> None:
    """Errors of 6 % at every confidence, whole ads wrong together, and chances that are larger
    where the machine is right: whatever is labelled breaks the bound."""
    rng, broken, n = np.random.default_rng(1), 0, 150
    for _ in range(n):
        ads = np.arange(4000) // per_ad
        wrong = (rng.random(4000) < 0.06)[ads]
        audit = frame(rng, wrong, per_ad)
        chance = np.where(wrong, 0.1, 0.3) if per_ad == 1 else audit.chance
        audit = replace(audit, chance=chance, answered=rng.random(4000) < chance)
        broken += certify(audit, audit.confidence, RISK, DELTA).chosen is not None
    assert 0 < broken <= binom.ppf(0.999, n, DELTA)
