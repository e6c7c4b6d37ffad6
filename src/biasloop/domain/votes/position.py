"""What annotators state about themselves, and which groups of them may be shown. Pure.

Positions are data about the corpus: who annotates shapes what counts as bias (CoDIGIT; Díaz et al.
2022, "CrowdWorkSheets"). They are also personal data, so only groups of at least MIN_GROUP_SIZE
annotators are shown, never individuals.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import Labels, Scheme
from biasloop.domain.measure.resample import Interval, mean_interval
from biasloop.domain.votes.agreement import measure_agreement
from biasloop.domain.votes.consensus import votes_of_today

MIN_GROUP_SIZE = 5


def groups_to_show(groups: Mapping[str, Collection[str]], annotators: Collection[str]) -> list[str]:
    """Which of these disjoint groups of `annotators` may be shown, the largest first.

    A shown group has at least MIN_GROUP_SIZE members. Since the shown groups can be subtracted from
    the total, the rest must have at least as many members as well, unless every group is shown;
    otherwise the next smallest group is hidden, too (complementary suppression).
    """
    order = sorted(groups, key=lambda name: (-len(set(groups[name])), name))
    shown = [name for name in order if len(set(groups[name])) >= MIN_GROUP_SIZE]
    while 0 < len(shown) < len(order):
        hidden = set(annotators).difference(*(groups[name] for name in shown))
        if len(hidden) >= MIN_GROUP_SIZE:
            break
        shown.pop()
    return shown


@dataclass(frozen=True, slots=True)
class GroupView:
    """How a group of `people` annotators votes; None where a figure cannot be measured.

    `agreement` is Krippendorff's alpha within the group, by MASI distance, over items with at least
    two votes of the group. `as_consensus` is the share of its votes that equal the consensus on
    their item. `apart` gives for each label by how much the group votes for it more often than the
    other annotators do on the same items. There are no counts of votes: compared with those of
    single annotators they would reveal who is in the group.
    """

    people: int
    agreement: Interval | None
    as_consensus: Interval | None
    apart: Mapping[str, Interval | None]


def view_group(
    votes: Sequence[Annotation],
    group: Collection[str],
    consensus: Mapping[str, Collection[str]],
    roots: Mapping[str, str],
    scheme: Scheme,
    seed: int,
) -> GroupView:
    """Compares the votes of a group with all `votes`.

    `consensus` holds the consensus labels and `roots` the root of each item, by item id.
    """
    votes = votes_of_today(votes, scheme)
    group_votes = [vote for vote in votes if vote.annotator in group]
    return GroupView(
        people=len(set(group)),
        agreement=measure_agreement(group_votes, roots, scheme, seed).sets,
        as_consensus=_share_as_consensus(group_votes, consensus, roots, seed),
        apart=_differences(votes, group, roots, scheme, seed),
    )


def _share_as_consensus(
    votes: Sequence[Annotation],
    consensus: Mapping[str, Collection[str]],
    roots: Mapping[str, str],
    seed: int,
) -> Interval | None:
    settled = [vote for vote in votes if vote.item_id in consensus]
    same = [set(vote.labels) == set(consensus[vote.item_id]) for vote in settled]
    vote_roots = [roots[vote.item_id] for vote in settled]
    return mean_interval(np.array(same, dtype=float), vote_roots, (0, 1), seed)


def _differences(
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
    differences: dict[str, Interval | None] = {}
    for j, label in enumerate(scheme.labels):
        rates = np.array(
            [[_rate(matrix[rows, j]) for rows in sides] for sides in both.values()]
        ).reshape(-1, 2)
        asked = np.isfinite(rates).all(axis=1)
        item_roots = [roots[item] for item, known in zip(both, asked, strict=True) if known]
        apart = (rates[:, 1] - rates[:, 0])[asked]
        differences[label] = mean_interval(apart, item_roots, (-1, 1), seed)
    return differences


def _rate(cells: Labels) -> float:
    """Share of ones among the cells that are not MISSING; NaN if all are."""
    asked = cells[cells >= 0]
    return float((asked == 1).mean()) if len(asked) else float("nan")
