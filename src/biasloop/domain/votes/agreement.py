"""How far annotators agree, and how reliable each of them is. Pure.

Agreement is Krippendorff's alpha (2011, "Computing Krippendorff's alpha-reliability"): 1 is perfect
agreement, 0 is what chance alone would produce. It depends only on the number of times that each
item got each answer, so that all weightings of roots are computed by one matrix product.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import Scheme
from biasloop.domain.measure.metric import MIN_POSITIVES
from biasloop.domain.measure.resample import (
    LEVEL,
    Array,
    Interval,
    Roots,
    bounded_interval,
    mean_interval,
)
from biasloop.domain.measure.weighted import effective_number
from biasloop.domain.span import Span
from biasloop.domain.votes.consensus import votes_of_today
from biasloop.domain.votes.dawid_skene import fit_dawid_skene


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on the `items` items that have at least two votes.

    `labels` holds alpha for each label of a multi-label scheme, `sets` alpha for whole label sets
    by MASI distance. None where alpha is undefined, and where too few of these items have a vote
    for the label (for `sets`: for some label).
    """

    items: int
    labels: Mapping[str, Interval | None]
    sets: Interval | None


def measure_agreement(
    votes: Sequence[Annotation],
    roots: Mapping[str, str],
    scheme: Scheme,
    seed: int,
    min_positives: int = MIN_POSITIVES,
    *,
    weights: Mapping[str, float] | None = None,
) -> Agreement:
    """Measures agreement. `votes` are those that count; `roots` holds the root of each item, by
    item id. With `weights`, an item counts as often as its weight says, so that with one over the
    inclusion probabilities agreement is that of the frame; enough are then effective items."""
    by_item = _votes_on_shared_items(votes_of_today(votes, scheme))
    item_roots = Roots.from_names([roots[item_id] for item_id in by_item])
    matrices = [
        scheme.encode([v.labels for v in item_votes], [v.asked for v in item_votes])
        for item_votes in by_item.values()
    ]
    chosen = np.array([(m == 1).any(axis=0) for m in matrices], dtype=bool)
    chosen = chosen.reshape(-1, len(scheme.labels))
    weight = np.array([weights[item_id] if weights else 1.0 for item_id in by_item])
    weight /= weight.mean() if len(weight) else 1.0
    per_label: dict[str, Interval | None] = {}
    if scheme.multi:
        for j, label in enumerate(scheme.labels):
            counts = np.array([[(m[:, j] == c).sum() for c in (0, 1)] for m in matrices])
            per_label[label] = (
                krippendorff_alpha(counts.reshape(-1, 2), 1 - np.eye(2), item_roots, seed, weight)
                if effective_number(weight[chosen[:, j]]) >= min_positives
                else None
            )
    label_sets = [[frozenset(v.labels) for v in item_votes] for item_votes in by_item.values()]
    distinct = sorted({labels for item_sets in label_sets for labels in item_sets}, key=sorted)
    counts = np.array(
        [[item_sets.count(labels) for labels in distinct] for item_sets in label_sets]
    ).reshape(len(by_item), len(distinct))
    distance = np.array([[masi_distance(a, b) for b in distinct] for a in distinct]).reshape(
        len(distinct), len(distinct)
    )
    enough = effective_number(weight[chosen.any(axis=1)]) >= min_positives
    alpha = krippendorff_alpha(counts, distance, item_roots, seed, weight) if enough else None
    return Agreement(len(by_item), per_label, alpha)


def krippendorff_alpha(
    counts: NDArray[np.integer],
    distance: NDArray[np.float64],
    roots: Roots,
    seed: int,
    weights: Array | None = None,
) -> Interval | None:
    """Krippendorff's alpha with an interval by roots; None where it is undefined.

    `counts` (n, c) is the number of annotators who gave each item each of c answers. `distance`
    (c, c) says how far two answers are apart, 0 on the diagonal. Items with fewer than two answers
    do not count, the others as often as `weights` (n,) says, whose mean is 1; None: once.
    """
    answers = counts.sum(axis=1)
    counts = np.where(answers[:, None] >= 2, counts, 0).astype(np.float64)
    disagreement = np.einsum("ic,cd,id->i", counts, distance, counts) / np.maximum(1, answers - 1)
    cells = np.column_stack([counts, disagreement])
    sums = roots.sums(cells if weights is None else cells * weights[:, None])
    sums = sums[sums.any(axis=1)]
    if not len(sums):
        return None

    def alpha(sums: Array) -> Array:
        totals, observed = sums[:, :-1], sums[:, -1]
        expected = np.einsum("rc,cd,rd->r", totals, distance, totals)
        with np.errstate(divide="ignore", invalid="ignore"):
            alphas = 1 - observed * (totals.sum(axis=1) - 1) / expected
        return np.asarray(np.maximum(-1, alphas))  # no less: distances obey the triangle inequality

    usual = sums[:, :-1].mean(axis=0)
    # Nobody agrees, on the usual answers; everybody agrees, and there is the most to agree on.
    worst = np.append(usual, usual.sum() * distance.max())
    best = np.append(np.full(len(usual), usual.mean()), 0.0)
    return bounded_interval(sums, alpha, worst, best, seed)


def masi_distance(one: Collection[str], other: Collection[str]) -> float:
    """Distance between two sets of labels: 0 if they are equal, 1 if they have nothing in common
    (Passonneau 2006, "Measuring agreement on set-valued items")."""
    a, b = set(one), set(other)
    if a == b:
        return 0.0
    common = a & b
    monotonicity = 2 / 3 if common and (a <= b or b <= a) else 1 / 3 if common else 0.0
    return 1 - len(common) / len(a | b) * monotonicity


def votes_by_pair(votes: Sequence[Annotation]) -> dict[tuple[str, str], list[Annotation]]:
    """For every two annotators with votes on the same items: their votes on those items."""
    by_pair: dict[tuple[str, str], list[Annotation]] = defaultdict(list)
    for item_votes in _votes_on_shared_items(votes).values():
        for one, other in combinations(sorted(item_votes, key=lambda v: v.annotator), 2):
            by_pair[one.annotator, other.annotator] += [one, other]
    return dict(by_pair)


def span_overlap(
    spans_by_item: Iterable[tuple[str, Sequence[Sequence[Span]]]], seed: int
) -> Interval | None:
    """Overlap of the spans that two annotators marked: the F1 of characters marked with the same
    label, averaged over all pairs of annotators of an item.

    `spans_by_item` holds the root of each item and the spans of each of its annotators. Pairs in
    which neither marked anything do not count. None if no pair counts.
    """
    scores, roots = [], []
    for root, spans_by_annotator in spans_by_item:
        for one, other in combinations([_characters(s) for s in spans_by_annotator], 2):
            if one or other:
                scores.append(2 * len(one & other) / (len(one) + len(other)))
                roots.append(root)
    return mean_interval(np.array(scores), roots, (0, 1), seed)


@dataclass(frozen=True, slots=True)
class GoldResult:
    """The share of correct answers among `n` answers to gold items."""

    n: int
    right: Interval


def score_on_gold(
    votes: Iterable[Annotation], known: Mapping[str, Collection[str]]
) -> dict[str, GoldResult]:
    """How well each annotator answered gold items; `known` holds their known labels by item id.

    An answer is correct if it has exactly the known labels.
    """
    correct: dict[str, list[bool]] = defaultdict(list)
    for vote in votes:
        if vote.item_id in known:
            correct[vote.annotator].append(set(vote.labels) == set(known[vote.item_id]))
    return {
        annotator: GoldResult(len(answers), wilson_interval(sum(answers), len(answers)))
        for annotator, answers in correct.items()
    }


def wilson_interval(hits: int, n: int) -> Interval:
    """The score interval of a share hits / n, n >= 1 (Wilson 1927, "Probable inference, the law of
    succession, and statistical inference"). It is valid for small n and for shares of 0 and 1."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share, scale = hits / n, 1 + z * z / n
    center = (share + z * z / (2 * n)) / scale
    half_width = z / scale * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, max(0.0, center - half_width), min(1.0, center + half_width))


def annotator_competence(
    votes: Sequence[Annotation], scheme: Scheme, min_positives: int = MIN_POSITIVES
) -> dict[str, float]:
    """How often each annotator is right, 0 to 1, by Dawid and Skene's model.

    It is the probability of answering with the true class, averaged over classes (and over labels
    in a multi-label scheme). Annotators who share no item with another annotator are left out, and
    labels that were chosen on fewer than `min_positives` of the shared items do not count.
    """
    by_item = _votes_on_shared_items(votes_of_today(votes, scheme))
    shared = [vote for item_votes in by_item.values() for vote in item_votes]
    if not shared:
        return {}
    matrix = scheme.encode([v.labels for v in shared], [v.asked for v in shared])
    _, items = np.unique([v.item_id for v in shared], return_inverse=True)
    names, annotators = np.unique([v.annotator for v in shared], return_inverse=True)
    positives = np.array([len(np.unique(items[column == 1])) for column in matrix.T])
    accuracies = []
    if scheme.multi:
        for column, items_with_it in zip(matrix.T, positives, strict=True):
            asked = column >= 0
            if items_with_it >= max(1, min_positives) and asked.all():
                fit = fit_dawid_skene(items, annotators, column.astype(np.intp), 2)
                accuracies.append(fit.confusion.diagonal(axis1=1, axis2=2).mean(axis=1))
    elif len(by_item) >= min_positives:
        fit = fit_dawid_skene(items, annotators, matrix.argmax(axis=1), matrix.shape[1])
        accuracies.append(fit.confusion.diagonal(axis1=1, axis2=2).mean(axis=1))
    if not accuracies:
        return {}
    return dict(zip(names.tolist(), np.mean(accuracies, axis=0).tolist(), strict=True))


def _votes_on_shared_items(votes: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    """The votes on each item that has at least two, by item id."""
    by_item: dict[str, list[Annotation]] = defaultdict(list)
    for vote in votes:
        by_item[vote.item_id].append(vote)
    return {item_id: item_votes for item_id, item_votes in by_item.items() if len(item_votes) > 1}


def _characters(spans: Sequence[Span]) -> set[tuple[str, int]]:
    return {(span.label, i) for span in spans for i in range(span.start, span.end)}
