"""Reviews of texts by a language model, on simulated models of known quality."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from biasloop.domain.measure.probation import (
    MAX_LOSS,
    MAX_WRONG,
    PairedRun,
    ProbationTerms,
    Review,
    ReviewRows,
    review_texts,
)
from biasloop.domain.split import group_roots

NAMES = ("age", "gender", "origin")


def simulated_rows(seed: int, wrong: float = 0.0, n: int = 300, m: int = 150) -> ReviewRows:
    """n real items and m written ones; the share `wrong` of the written ones has a wrong class."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, n + m)
    bad = np.arange(n + m) >= n + m - int(wrong * m)
    classes[bad] = (classes[bad] + rng.integers(1, 3, bad.sum())) % 3
    written = np.arange(n + m) >= n
    roots = np.array([f"r{i // 2}" for i in range(n + m)])
    return ReviewRows(np.eye(3, dtype=np.int8)[classes], ~written, written, roots, NAMES)


def runs(
    rows: ReviewRows, truth: np.ndarray, good: float, better: float, seeds: int = 3
) -> list[PairedRun]:
    """Simulated models with signal strength `good` without the texts, and `better` with them."""
    paired_runs = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 7])
        noise = rng.normal(size=truth.shape)
        without = 1 / (1 + np.exp(-(good * truth + noise)))
        with_ = 1 / (1 + np.exp(-(better * truth + noise)))
        flags = without.argmax(axis=1)[:, None] == np.arange(3)
        paired_runs.append(PairedRun(with_, without, flags))
    return paired_runs


def judge(rows: ReviewRows, paired_runs: list[PairedRun]) -> Review:
    return review_texts(rows, paired_runs, weight=0.5, up_to=9, seed=0)


# --- the decision ---------------------------------------------------------------------------------


def test_texts_that_help_are_kept() -> None:
    rows = simulated_rows(0)
    review = judge(rows, runs(rows, rows.truth, 2.0, 3.0))
    assert review.kept
    assert 0 < review.gain.low < review.gain.value
    assert review.wrong.low < MAX_WRONG
    assert (review.texts, review.n_items, review.n_roots, review.up_to) == (150, 300, 150, 9)
    assert review.measured == NAMES


def test_texts_that_harm_are_refused() -> None:
    rows = simulated_rows(0)
    review = judge(rows, runs(rows, rows.truth, 3.0, 2.0))
    assert not review.kept
    assert review.gain.value < 0
    assert review.why.startswith("no gain")


def test_texts_without_effect_are_refused() -> None:
    rows = simulated_rows(0)
    review = judge(rows, runs(rows, rows.truth, 3.0, 3.0))
    assert (review.kept, review.gain.value, review.gain.low) == (False, 0, 0)


def test_a_gain_that_may_be_a_loss_is_refused() -> None:
    rows = simulated_rows(1, n=120)
    (run,) = runs(rows, rows.truth, 2.0, 2.0, seeds=1)
    (other,) = runs(rows, rows.truth[:, ::-1], 0.0, 2.04, seeds=1)  # as good, but on other items
    review = judge(rows, [replace(run, with_=other.with_[:, ::-1])])
    assert review.gain.value > 0
    assert review.gain.low <= -MAX_LOSS
    assert not review.kept
    assert review.why.startswith("a loss is not ruled out")


def test_wrong_labels_are_refused_even_if_they_help() -> None:
    rows = simulated_rows(0, wrong=0.3)
    review = judge(rows, runs(rows, simulated_rows(0).truth, 2.0, 3.0))
    assert review.gain.low > 0
    assert review.wrong.value == pytest.approx(0.3, abs=0.08)
    assert not review.kept
    assert "of their labels seem wrong" in review.why


@pytest.mark.parametrize("good", [1.0, 3.0])
@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_good_and_bad_models_estimate_the_share_of_wrong_labels(good: float, wrong: float) -> None:
    estimates = []
    for seed in range(5):
        rows = simulated_rows(seed, wrong, n=400, m=300)
        truth = simulated_rows(seed, n=400, m=300).truth
        estimates.append(judge(rows, runs(rows, truth, good, good, seeds=1)).wrong)
    assert np.mean([one.value for one in estimates]) == pytest.approx(wrong, abs=0.06)
    assert all(one.low < one.value for one in estimates)


def test_a_useless_model_finds_no_wrong_labels() -> None:
    rows = simulated_rows(0, wrong=0.3)
    review = judge(rows, runs(rows, np.zeros_like(rows.truth), 0.0, 0.0))
    assert review.wrong.low < MAX_WRONG


# --- what is measured -----------------------------------------------------------------------------


def test_the_gain_matches_scikit_learn_on_labels_with_enough_positives() -> None:
    rows = simulated_rows(0, n=120)
    truth = rows.truth.copy()
    truth[:, 2] = 0
    truth[:29, 2] = 1
    truth[rows.written, 2] = 1  # however many were written
    truth[:60:3, 0] = -1
    rows = replace(rows, truth=truth)
    paired_runs = runs(rows, truth, 1.0, 2.0)
    review = judge(rows, paired_runs)
    assert review.measured == ("age", "gender")

    def mean(proba: np.ndarray) -> float:
        areas = []
        for j in (0, 1):
            asked = rows.real & (truth[:, j] >= 0)
            areas.append(average_precision_score(truth[asked, j], proba[asked, j]))
        return float(np.mean(areas))

    gains = [mean(run.with_) - mean(run.without) for run in paired_runs]
    assert review.gain.value == pytest.approx(np.mean(gains))


def test_without_real_positives_nothing_is_measurable() -> None:
    rows = simulated_rows(0, n=60)
    assert len(rows.measurable) == 0


def test_labels_that_were_not_asked_about_are_no_errors() -> None:
    rows = simulated_rows(0)
    truth = rows.truth.copy()
    truth[rows.written, 1] = -1
    truth[rows.real, 2] = -1
    rows = replace(rows, truth=truth)
    assert judge(rows, runs(rows, simulated_rows(0).truth, 2.0, 3.0)).measured == ("age", "gender")


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99), st.floats(0, 0.6), st.floats(0.5, 3), st.floats(0.5, 3))
def test_the_decision_follows_from_the_figures(
    seed: int, wrong: float, good: float, better: float
) -> None:
    rows = simulated_rows(seed, wrong, n=150, m=60)
    review = judge(rows, runs(rows, rows.truth, good, better, seeds=2))
    gain, wrong_share = review.gain, review.wrong
    assert review.kept == (gain.value > 0 and gain.low > -MAX_LOSS and wrong_share.low <= MAX_WRONG)
    assert -1 <= gain.low <= 1
    assert -1 <= wrong_share.low <= 1
    assert Review.from_dict(json.loads(json.dumps(review.as_dict()))) == review


# --- weights and due reviews ----------------------------------------------------------------------


def review_with(kept: bool, up_to: int) -> Review:
    rows = simulated_rows(0, n=120, m=30)
    review = judge(rows, runs(rows, rows.truth, 2.0, 2.0, seeds=1))
    return replace(review, kept=kept, up_to=up_to)


@given(st.integers(0, 50), st.integers(0, 50), st.floats(0, 1), st.floats(0.1, 1))
def test_weights_follow_the_newest_review(
    sequence: int, up_to: int, unproven: float, weight: float
) -> None:
    terms = ProbationTerms(every=3, weight=weight, unproven=unproven)
    assert terms.weight_of(sequence, None) == unproven
    assert terms.weight_of(sequence, REFUSED) == 0
    review = replace(KEPT, up_to=up_to)
    assert terms.weight_of(sequence, review) == (weight if sequence <= up_to else unproven)


KEPT, REFUSED = review_with(True, 9), review_with(False, 9)


@given(st.integers(1, 9), st.integers(0, 30))
def test_reviews_are_due_at_an_interval(every: int, last: int) -> None:
    terms = ProbationTerms(every, 0.5, 0.0)
    assert terms.due(last, None)
    due = [number for number in range(last + 1, last + 2 * every) if terms.due(number, last)]
    assert due == list(range(last + every, last + 2 * every))


# --- folds ----------------------------------------------------------------------------------------

several = st.lists(
    st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=3), min_size=1, max_size=12
)


@given(several)
def test_no_root_is_in_two_groups(roots: list[list[str]]) -> None:
    groups = group_roots(roots)
    assert len(groups) == len(roots)
    group_of: dict[str, str] = {}
    for of_item, group in zip(roots, groups, strict=True):
        for root in of_item:
            assert group_of.setdefault(root, group) == group


@given(several)
def test_groups_are_as_small_as_possible(roots: list[list[str]]) -> None:
    groups = group_roots(roots)
    for group in set(groups):
        members = [set(r) for r, g in zip(roots, groups, strict=True) if g == group]
        reached, rest = members[0], members[1:]
        while touching := [one for one in rest if one & reached]:
            reached = reached.union(*touching)
            rest = [one for one in rest if one not in touching]
        assert not rest


def test_single_roots_keep_their_names() -> None:
    assert group_roots([["b"], ["a"], ["b"]]) == ["b", "a", "b"]
