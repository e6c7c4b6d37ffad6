"""A model that saw answers of one kind only, or says the same of every text, chooses nothing."""

import numpy as np
import pytest

from biasloop.domain.batch import Candidates, Frame, Quota
from biasloop.domain.learning import Scores
from biasloop.rounds.steps.select import choose_batch

M, N = 200, 10
SURE = np.tile(np.array([1.0, 0.0], np.float32), (M, 1))
UNSURE = np.random.default_rng(0).random((M, 2)).astype(np.float32)


class Called(Exception):
    """The strategy was asked to choose."""


class Asked:
    needs = frozenset({"proba"})

    def choose(self, scores: Scores, n: int, seed: int) -> np.ndarray:
        raise Called


def batch(proba: np.ndarray, labels: list[list[int]], multi: bool, seed: int = 0) -> list[int]:
    ids = np.array([f"{row:03d}" for row in range(M)])
    everything = Candidates(np.arange(M), ids=ids, hashes=ids, roots=ids)
    known = np.array(labels, np.int8).reshape(-1, 2)
    scores = Scores({"proba": proba}, np.full(2, 0.5, np.float32), multi, {}, known)
    quota = Quota(acquisition=N, audit=0, random_train=0)
    nobody = everything.distinct(ids)
    chosen = choose_batch(
        Frame.fresh(everything),
        Frame.fresh(nobody),
        quota,
        Asked(),
        scores.for_candidates,
        max_per_ad=1,
        seeds=[seed, 1],
    )
    return sorted(selection.row for selection in chosen.selections)


@pytest.mark.parametrize(
    ("proba", "labels", "multi"),
    [
        (SURE, [[1, 0]] * 20, False),
        (UNSURE, [[1, 0]] * 20, False),
        (SURE, [[1, 0], [0, 1]], False),
        (UNSURE, [[0, 0]] * 20, True),
        (UNSURE, [[1, 1]] * 20, True),
        (UNSURE, [[1, -1], [-1, 0]], True),
        (np.full((M, 2), 0.03, np.float32), [[1, 0], [0, 1]], True),
    ],
)
def test_items_are_drawn_until_the_model_has_an_opinion(
    proba: np.ndarray, labels: list[list[int]], multi: bool
) -> None:
    """When the first batch held one class only, the default strategy never met the rare one."""
    try:
        batches = [batch(proba, labels, multi, seed) for seed in range(60)]
    except Called:
        pytest.fail("a strategy was asked to choose by a model without an opinion")
    assert all(len(set(rows)) == N for rows in batches)
    drawn = np.bincount(np.concatenate(batches), minlength=M)
    assert drawn.max() < 14  # of 60 batches, by chance in 3 on average
    assert (drawn > 0).mean() > 0.85


@pytest.mark.parametrize(
    ("labels", "multi"),
    [([[1, 0], [0, 1]], False), ([[1, 0], [0, 0]], True), ([], False), ([], True)],
)
def test_an_opinion_is_asked(labels: list[list[int]], multi: bool) -> None:
    with pytest.raises(Called):
        batch(UNSURE, labels, multi)
