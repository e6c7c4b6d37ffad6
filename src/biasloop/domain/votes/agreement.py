"""How far annotators agree, and how reliable each of them is. Pure.

Krippendorff (2011), "Computing Krippendorff's alpha-reliability", from the counts of answers per
item, which are all that it depends on; so a resample of roots is one product of matrices. 1 is
perfect agreement, 0 what chance would bring.
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
from biasloop.domain.measure.resample import (
    LEVEL,
    RESAMPLES,
    Interval,
    Roots,
    mean_interval,
    percentile_interval,
)
from biasloop.domain.span import Span
from biasloop.domain.votes.dawid_skene import fit_dawid_skene


@dataclass(frozen=True, slots=True)
class Agreement:
    """Over `items` with two votes or more: alpha per label, and of whole label sets by MASI
    distance; None where it is undefined (nobody differed because nobody chose the label)."""

    items: int
    labels: Mapping[str, Interval | None]
    sets: Interval | None


def measure_agreement(
    votes: Sequence[Annotation], roots: Mapping[str, str], scheme: Scheme, seed: int
) -> Agreement:
    """`votes` are the votes that count; `roots` names the root of each of their items."""
    shared = _shared(votes)
    ads = Roots.from_names([roots[item_id] for item_id in shared])
    matrix = {
        item_id: scheme.encode([v.labels for v in said], [v.asked for v in said])
        for item_id, said in shared.items()
    }
    per_label: dict[str, Interval | None] = {}
    if scheme.multi:
        for j, label in enumerate(scheme.labels):
            counts = np.array([[(m[:, j] == c).sum() for c in (0, 1)] for m in matrix.values()])
            per_label[label] = krippendorff_alpha(counts.reshape(-1, 2), 1 - np.eye(2), ads, seed)
    sets = sorted({frozenset(v.labels) for said in shared.values() for v in said}, key=sorted)
    counts = np.array(
        [[sum(frozenset(v.labels) == s for v in said) for s in sets] for said in shared.values()]
    ).reshape(len(shared), len(sets))
    distance = np.array([[masi_distance(a, b) for b in sets] for a in sets]).reshape(
        len(sets), len(sets)
    )
    return Agreement(len(shared), per_label, krippendorff_alpha(counts, distance, ads, seed))


def krippendorff_alpha(
    counts: NDArray[np.integer], distance: NDArray[np.float64], roots: Roots, seed: int
) -> Interval | None:
    """Krippendorff's alpha with its interval by root; None where it is undefined.

    `counts` (n, c): how many annotators gave item i answer c; `distance` (c, c): how far two
    answers are apart, 0 on the diagonal. Items with fewer than two answers do not count.
    """
    answers = counts.sum(axis=1)
    counts = np.where(answers[:, None] >= 2, counts, 0).astype(np.float64)
    apart = np.einsum("ic,cd,id->i", counts, distance, counts) / np.maximum(1, answers - 1)
    of_root = np.zeros((roots.count, counts.shape[1] + 1))
    np.add.at(of_root, roots.of_item, np.column_stack([counts, apart]))
    values = []
    for draws in roots.draws(seed, RESAMPLES) if len(counts) else ():
        drawn = draws @ of_root
        totals, observed = drawn[:, :-1], drawn[:, -1]
        n = totals.sum(axis=1)
        by_chance = np.einsum("rc,cd,rd->r", totals, distance, totals)
        with np.errstate(divide="ignore", invalid="ignore"):
            values.append(1 - observed * (n - 1) / by_chance)
    return percentile_interval(np.concatenate(values)) if values else None


def masi_distance(one: Collection[str], other: Collection[str]) -> float:
    """Passonneau (2006), "Measuring agreement on set-valued items": 0 for the same set, 1 for sets
    that share nothing."""
    a, b = set(one), set(other)
    if a == b:
        return 0.0
    both = a & b
    shape = 2 / 3 if both and (a <= b or b <= a) else 1 / 3 if both else 0.0
    return 1 - len(both) / len(a | b) * shape


def votes_by_pair(votes: Sequence[Annotation]) -> dict[tuple[str, str], list[Annotation]]:
    """By every two annotators who answered an item in common: their votes on those items."""
    found: dict[tuple[str, str], list[Annotation]] = defaultdict(list)
    for said in _shared(votes).values():
        for one, other in combinations(sorted(said, key=lambda v: v.annotator), 2):
            found[one.annotator, other.annotator] += [one, other]
    return dict(found)


def span_overlap(
    marked: Iterable[tuple[str, Sequence[Sequence[Span]]]], seed: int
) -> Interval | None:
    """Mean overlap F1 of the characters that two people marked with the same label.

    `marked` has the root of each item and the spans of each of its annotators. Two who both
    marked nothing do not count.
    """
    scores, roots = [], []
    for root, people in marked:
        for one, other in combinations([_characters(spans) for spans in people], 2):
            if one or other:
                scores.append(2 * len(one & other) / (len(one) + len(other)))
                roots.append(root)
    return mean_interval(np.array(scores), roots, seed)


@dataclass(frozen=True, slots=True)
class GoldResult:
    """Of `n` answers to gold items, which share was exactly right."""

    n: int
    right: Interval


def score_on_gold(
    votes: Iterable[Annotation], known: Mapping[str, Collection[str]]
) -> dict[str, GoldResult]:
    """How each annotator answered gold items, whose known labels are `known` by item id.

    An answer is right when it has all the labels and no other. The interval is Wilson's (1927,
    "Probable inference, the law of succession, and statistical inference"): it holds for few
    answers and for shares of 0 and 1.
    """
    right: dict[str, list[bool]] = defaultdict(list)
    for vote in votes:
        if vote.item_id in known:
            right[vote.annotator].append(set(vote.labels) == set(known[vote.item_id]))
    return {name: GoldResult(len(r), wilson_interval(sum(r), len(r))) for name, r in right.items()}


def wilson_interval(hits: int, n: int) -> Interval:
    """Wilson's interval of a share of n >= 1."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share, scale = hits / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def annotator_competence(votes: Sequence[Annotation], scheme: Scheme) -> dict[str, float]:
    """How often each annotator is right, by Dawid and Skene's model over the items with several
    votes: the mean over classes (and labels) of what they recognise. An annotator whom nobody
    answered beside is left out."""
    shared = [vote for said in _shared(votes).values() for vote in said]
    if not shared:
        return {}
    matrix = scheme.encode([v.labels for v in shared], [v.asked for v in shared])
    _, items = np.unique([v.item_id for v in shared], return_inverse=True)
    names, people = np.unique([v.annotator for v in shared], return_inverse=True)
    recognised = []
    if scheme.multi:
        for column in matrix.T:
            asked = column >= 0
            if (column == 1).any() and asked.all():
                confusion = fit_dawid_skene(items, people, column.astype(np.intp), 2).confusion
                recognised.append(confusion.diagonal(axis1=1, axis2=2).mean(axis=1))
    else:
        confusion = fit_dawid_skene(items, people, matrix.argmax(axis=1), matrix.shape[1]).confusion
        recognised.append(confusion.diagonal(axis1=1, axis2=2).mean(axis=1))
    if not recognised:
        return {}
    return dict(zip(names.tolist(), np.mean(recognised, axis=0).tolist(), strict=True))


def _shared(votes: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    by_item: dict[str, list[Annotation]] = defaultdict(list)
    for vote in votes:
        by_item[vote.item_id].append(vote)
    return {item_id: said for item_id, said in by_item.items() if len(said) > 1}


def _characters(spans: Sequence[Span]) -> set[tuple[str, int]]:
    return {(span.label, i) for span in spans for i in range(span.start, span.end)}
