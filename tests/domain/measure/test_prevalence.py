"""The share of the pool that has a label: estimate, interval, and when there is none."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from biasloop.domain.measure.ad_share import bound_ads
from biasloop.domain.measure.prevalence import (
    MIN_AUDIT_POSITIVES,
    AuditedItems,
    estimate_share,
    labels_at_most,
    labels_for_precision,
)


def audited(seed: int, n: int = 300, share: float = 0.3, skill: float = 2.0) -> AuditedItems:
    """Items whose model knows `skill` of them, drawn with unequal chances."""
    rng = np.random.default_rng(seed)
    log_odds = np.log(share / (1 - share)) + skill * rng.normal(size=n)
    guess = 1 / (1 + np.exp(-log_odds))
    return AuditedItems(
        yes=rng.random(n) < guess,
        guess=guess,
        chance=rng.uniform(0.02, 0.4, n),
        ads=rng.integers(0, n // 2, n),
        weight=np.ones(n),
        size=np.ones(n),
    )


def test_it_is_the_formula_of_the_paper() -> None:
    """PPI++ for a mean with equal chances: the rectified mean with the variance-minimising lambda
    (equations 2 and 6), written out with loops; the pool is so large that n/N is 0."""
    audit = replace(audited(1), chance=np.full(300, 0.1), ads=np.arange(300))
    audit = replace(audit, guess=(audit.guess > 0.5).astype(float))
    y, f, guessed = audit.yes.astype(float), audit.guess, 0.4
    n, y_mean, f_mean = len(y), sum(y) / len(y), sum(f) / len(f)
    covariance = sum((a - y_mean) * (b - f_mean) for a, b in zip(y, f, strict=True)) / n
    trust = covariance / (sum((b - f_mean) ** 2 for b in f) / n)
    share = estimate_share(audit, guessed)
    assert share.trust == pytest.approx(trust)
    rectified = trust * guessed + sum(a - trust * b for a, b in zip(y, f, strict=True)) / n
    assert share.interval is not None
    assert share.interval.value == pytest.approx(rectified)
    residual = np.var(y - trust * f) / n
    log_odds = [np.log(v / (1 - v)) for v in (share.interval.low, share.interval.high)]
    wide = (log_odds[1] - log_odds[0]) / 2 * rectified * (1 - rectified)
    assert 1.96 * np.sqrt(residual) < wide < 1.05 * 2 * np.sqrt(residual)


def test_a_model_that_knows_nothing_leaves_the_audit_as_it_is() -> None:
    audit = audited(2)
    no_idea = replace(audit, guess=np.full(len(audit), 0.7))
    share = estimate_share(no_idea, 0.7)
    weights = 1 / audit.chance
    assert share.interval is not None
    assert share.interval.value == pytest.approx((weights @ audit.yes) / weights.sum())
    assert share.trust == 0


def test_a_good_model_narrows_the_interval_and_several_figures_widen_it() -> None:
    audit = replace(audited(3, skill=6.0), chance=np.full(300, 0.1))
    without = estimate_share(replace(audit, guess=np.zeros(len(audit))), 0.0)
    share = estimate_share(audit, float(audit.guess.mean()))
    together = estimate_share(audit, float(audit.guess.mean()), figures=10)
    widths = [s.interval.high - s.interval.low for s in (without, share, together) if s.interval]
    assert len(widths) == 3
    assert widths[1] < 0.75 * widths[0]
    assert widths[1] < widths[2]


def test_sentences_of_one_ad_count_as_one_observation() -> None:
    audit = audited(4)
    five = AuditedItems(
        **{
            name: np.repeat(getattr(audit, name), 5)
            for name in ("yes", "guess", "chance", "ads", "weight", "size")
        }
    )
    once, repeated = estimate_share(audit, 0.3).interval, estimate_share(five, 0.3).interval
    assert once is not None
    assert repeated is not None
    assert repeated.value == pytest.approx(once.value)
    assert repeated.high - repeated.low > 0.85 * (once.high - once.low)


def test_ten_positives_are_needed_and_it_says_how_many_labels_hold_them() -> None:
    audit = audited(5)
    yes = np.zeros(len(audit), bool)
    yes[: MIN_AUDIT_POSITIVES - 1] = True
    few = estimate_share(replace(audit, yes=yes), 0.3)
    assert (few.interval, few.positives, few.labels) == (None, 9, 300)
    assert few.needed is not None
    assert 300 < few.needed < 400
    yes[MIN_AUDIT_POSITIVES] = True
    assert estimate_share(replace(audit, yes=yes), 0.3).interval is not None
    none = estimate_share(replace(audit, yes=np.zeros(len(audit), bool)), 0.3)
    assert none.needed is not None
    assert none.needed > few.needed


def test_an_audit_without_an_error_of_the_model_is_no_proof_that_it_makes_none() -> None:
    audit = audited(6)
    perfect = replace(audit, guess=audit.yes.astype(float))
    interval = estimate_share(perfect, 0.3).interval
    assert interval is not None
    assert interval.high - interval.low > 1 / len(audit)


@given(
    yes=arrays(bool, 60),
    guess=arrays(float, 60, elements=st.floats(0, 1)),
    chance=arrays(float, 60, elements=st.floats(1e-4, 1)),
    ads=arrays(np.int64, 60, elements=st.integers(0, 20)),
    guessed=st.floats(0, 1),
    figures=st.integers(1, 30),
)
def test_whatever_the_audit_the_interval_lies_between_0_and_1(
    yes: np.ndarray,
    guess: np.ndarray,
    chance: np.ndarray,
    ads: np.ndarray,
    guessed: float,
    figures: int,
) -> None:
    one = np.ones(60)
    share = estimate_share(
        AuditedItems(yes, guess, chance, ads, one, one), guessed, figures=figures
    )
    if share.interval is None:
        assert share.needed is not None
    else:
        assert 0 <= share.interval.low <= share.interval.value <= share.interval.high <= 1
        assert share.interval.high - share.interval.low > 0


def test_the_plan_says_what_the_width_needs() -> None:
    share = estimate_share(audited(7), 0.3)
    assert share.interval is not None
    half = (share.interval.high - share.interval.low) / 2
    assert labels_for_precision(share, half / 2) == pytest.approx(4 * share.labels, abs=1)
    assert labels_for_precision(estimate_share(audited(7, share=1e-9), 0.3), 0.02) is None
    assert labels_at_most(0.02) == 2401  # as in every textbook


# --- ads -----------------------------------------------------------------------------------------


@given(st.data())
def test_the_bounds_enclose_the_share_of_ads_whatever_the_model_says(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 40))
    ads = np.unique(
        data.draw(arrays(np.int64, n, elements=st.integers(0, 9))), return_inverse=True
    )[1]
    yes = data.draw(arrays(bool, n))
    guess = data.draw(arrays(float, n, elements=st.floats(0, 1)))
    flags = data.draw(arrays(bool, n))
    bounds = bound_ads(ads, guess, flags)
    truth = (np.bincount(ads, yes) > 0).mean()
    count = bounds.size.sum()
    assert count == pytest.approx(ads.max() + 1)
    assert (bounds.lower @ yes) / count <= truth + 1e-9
    assert (bounds.upper @ yes + bounds.certain.sum()) / count >= truth - 1e-9


def test_in_ads_of_one_sentence_the_bounds_are_the_share() -> None:
    rng = np.random.default_rng(0)
    yes, guess = rng.random(50) < 0.4, rng.random(50)
    guess[:5] = 1.0
    bounds = bound_ads(rng.permutation(50), guess, guess > 0.5)
    assert bounds.lower @ yes == bounds.upper @ yes == yes.sum()
    assert not bounds.certain.any()


def test_a_model_that_is_right_brings_the_bounds_together() -> None:
    rng = np.random.default_rng(1)
    ads, yes = np.repeat(np.arange(100), 8), rng.random(800) < 0.1
    bounds = bound_ads(ads, yes.astype(float), yes)
    truth = (np.bincount(ads, yes) > 0).sum()
    assert bounds.lower @ yes == pytest.approx(truth)
    assert bounds.upper @ yes + bounds.certain.sum() == pytest.approx(truth)
