"""Estimates the true class of each item and the reliability of each annotator from votes alone.

Dawid and Skene (1979), "Maximum likelihood estimation of observer error-rates using the EM
algorithm", with pseudo-counts as in Kim and Ghahramani (2012), "Bayesian classifier combination".
An item with a single vote says nothing about the reliability of its annotator, and many such items
would outweigh the informative ones (see benchmarks/RESULTS.md). So they are left out of the
estimation, and their single vote is their result.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CORRECT, WRONG = 4.0, 1.0
"""Pseudo-counts of correct and wrong votes: without votes, an annotator counts as 80 % correct."""
MAX_ITERATIONS = 200
TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class DawidSkeneFit:
    """`proba` (n, k) is the probability of each class for each item. `confusion` (a, k, k) is, for
    each annotator, the probability of each vote (last axis) given the true class."""

    proba: NDArray[np.float64]
    confusion: NDArray[np.float64]


def fit_dawid_skene(
    items: NDArray[np.intp], annotators: NDArray[np.intp], classes: NDArray[np.intp], k: int
) -> DawidSkeneFit:
    """Fits the model to m votes for k classes; the arrays, each (m,), hold the numbers of the item,
    the annotator and the class of each vote.

    Items and annotators are numbered 0, 1, … without gaps. EM starts from the shares of votes, and
    an item with fewer than two votes keeps them.
    """
    n, a = int(items.max(initial=-1)) + 1, int(annotators.max(initial=-1)) + 1
    counts = np.zeros((n, k))
    np.add.at(counts, (items, classes), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    several = counts.sum(axis=1) >= 2
    proba = shares
    informative = several[items]
    items, annotators, classes = items[informative], annotators[informative], classes[informative]
    wrong = WRONG / max(1, k - 1)
    pseudo_counts = np.full((k, k), wrong) + np.eye(k) * (CORRECT - wrong)
    confusion = np.tile(pseudo_counts, (a, 1, 1))
    for _ in range(MAX_ITERATIONS):
        expected = np.zeros((a, k, k))  # annotator, vote, true class
        np.add.at(expected, (annotators, classes), proba[items])
        confusion = expected.transpose(0, 2, 1) + pseudo_counts
        confusion /= confusion.sum(axis=2, keepdims=True)
        prior = proba[several].sum(axis=0) + 1
        log_proba = np.tile(np.log(prior / prior.sum()), (n, 1))
        np.add.at(log_proba, items, np.log(confusion)[annotators, :, classes])
        new_proba = np.exp(log_proba - log_proba.max(axis=1, keepdims=True))
        new_proba /= new_proba.sum(axis=1, keepdims=True)
        new_proba = np.where(several[:, None], new_proba, shares)
        change = np.abs(new_proba - proba).max(initial=0)
        proba = new_proba
        if change < TOLERANCE:
            break
    return DawidSkeneFit(proba, confusion)
