"""What annotators say of themselves, and what may be shown of it: groups, never persons. Pure.

Positions are data about the corpus: who judged shapes what counts as bias (CoDIGIT; Díaz et al.
2022, "CrowdWorkSheets"). They are also personal, so a group is shown from MIN_PEOPLE on.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import Labels, Scheme
from biasloop.domain.measure.resample import Interval, mean_interval
from biasloop.domain.votes.agreement import agreement

MIN_PEOPLE = 5


def shown(groups: Mapping[str, Collection[str]], people: Collection[str]) -> list[str]:
    """Which of these disjoint groups of `people` may be shown, the largest first.

    Those of MIN_PEOPLE and more. As what is shown could be taken from the whole, those in no shown
    group must be so many, too, once one group is hidden: then the next smallest is hidden as well
    (complementary suppression).
    """
    order = sorted(groups, key=lambda name: (-len(set(groups[name])), name))
    seen = [name for name in order if len(set(groups[name])) >= MIN_PEOPLE]
    while 0 < len(seen) < len(order):
        hidden = set(people).difference(*(groups[name] for name in seen))
        if len(hidden) >= MIN_PEOPLE:
            break
        seen.pop()
    return seen


@dataclass(frozen=True, slots=True)
class GroupView:
    """How a group of `people` annotators votes.

    `agreement` is alpha within it, by MASI distance, over items with two of its votes.
    `as_consensus` is the share of its votes that are what the item came to. `apart` says for each
    label how much more often it votes for it than the others do on the same items. None: not
    measurable. No counts of votes: beside those of persons they would tell who is in the group.
    """

    people: int
    agreement: Interval | None
    as_consensus: Interval | None
    apart: Mapping[str, Interval | None]


def view(
    votes: Sequence[Annotation],
    group: Collection[str],
    consensus: Mapping[str, Collection[str]],
    roots: Mapping[str, str],
    scheme: Scheme,
    seed: int,
) -> GroupView:
    """The group's votes beside all `votes`; `consensus` and `roots` go by item."""
    mine = [vote for vote in votes if vote.annotator in group]
    return GroupView(
        people=len(set(group)),
        agreement=agreement(mine, roots, scheme, seed).sets,
        as_consensus=_as_consensus(mine, consensus, roots, seed),
        apart=_apart(votes, group, roots, scheme, seed),
    )


def _as_consensus(
    votes: Sequence[Annotation],
    consensus: Mapping[str, Collection[str]],
    roots: Mapping[str, str],
    seed: int,
) -> Interval | None:
    settled = [vote for vote in votes if vote.item_id in consensus]
    same = [set(vote.labels) == set(consensus[vote.item_id]) for vote in settled]
    return mean_interval(np.array(same, dtype=float), [roots[v.item_id] for v in settled], seed)


def _apart(
    votes: Sequence[Annotation],
    group: Collection[str],
    roots: Mapping[str, str],
    scheme: Scheme,
    seed: int,
) -> dict[str, Interval | None]:
    matrix = scheme.encode([v.labels for v in votes], [v.asked for v in votes])
    sides: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for row, vote in enumerate(votes):
        sides[vote.item_id][vote.annotator in group].append(row)
    both = {item: rows for item, rows in sides.items() if all(rows)}
    found: dict[str, Interval | None] = {}
    for j, label in enumerate(scheme.labels):
        rates = np.array(
            [[_rate(matrix[rows, j]) for rows in sides] for sides in both.values()]
        ).reshape(-1, 2)
        asked = np.isfinite(rates).all(axis=1)
        ads = [roots[item] for item, known in zip(both, asked, strict=True) if known]
        found[label] = mean_interval((rates[:, 1] - rates[:, 0])[asked], ads, seed)
    return found


def _rate(cells: Labels) -> float:
    """Share of ones among those that were asked."""
    asked = cells[cells >= 0]
    return float((asked == 1).mean()) if len(asked) else float("nan")
