"""What is true, and how reliable each annotator is, from votes alone.

Dawid and Skene (1979), "Maximum likelihood estimation of observer error-rates using the EM
algorithm", with pseudo-counts as in Kim and Ghahramani (2012), "Bayesian classifier combination".
An item with a single vote says nothing of its author's reliability, and many such items drown those
that do (see benchmarks/RESULTS.md): they keep the vote they have.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RIGHT, WRONG = 4.0, 1.0
"""Pseudo-counts of a person nobody knows yet: right four times of five."""
MAX_ITERATIONS = 200
TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class DawidSkeneFit:
    """`proba` (n, k): how likely each class is for each item; `confusion` (a, k, k): of each
    annotator, how likely each answer (last axis) is for each true class."""

    proba: NDArray[np.float64]
    confusion: NDArray[np.float64]


def fit_dawid_skene(
    items: NDArray[np.intp], people: NDArray[np.intp], said: NDArray[np.intp], k: int
) -> DawidSkeneFit:
    """From m votes: the number of the item, of the annotator and of the class said, each (m,).

    Items and annotators are numbered 0, 1, … without gaps. Starts from the shares of votes; an item
    with fewer than two keeps its share.
    """
    n, a = int(items.max(initial=-1)) + 1, int(people.max(initial=-1)) + 1
    counts = np.zeros((n, k))
    np.add.at(counts, (items, said), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    several = counts.sum(axis=1) >= 2
    proba = shares
    heard_of = several[items]
    items, people, said = items[heard_of], people[heard_of], said[heard_of]
    known = np.full((k, k), WRONG / max(1, k - 1)) + np.eye(k) * (RIGHT - WRONG / max(1, k - 1))
    confusion = np.tile(known, (a, 1, 1))
    for _ in range(MAX_ITERATIONS):
        heard = np.zeros((a, k, k))  # annotator, said, true
        np.add.at(heard, (people, said), proba[items])
        confusion = heard.transpose(0, 2, 1) + known
        confusion /= confusion.sum(axis=2, keepdims=True)
        prior = proba[several].sum(axis=0) + 1
        log = np.tile(np.log(prior / prior.sum()), (n, 1))
        np.add.at(log, items, np.log(confusion)[people, :, said])
        new = np.exp(log - log.max(axis=1, keepdims=True))
        new = np.where(several[:, None], new / new.sum(axis=1, keepdims=True), shares)
        moved = np.abs(new - proba).max(initial=0)
        proba = new
        if moved < TOLERANCE:
            break
    return DawidSkeneFit(proba, confusion)
