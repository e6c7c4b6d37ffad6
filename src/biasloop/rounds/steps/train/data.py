"""The rows that a model learns from."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Rows
from biasloop.domain.item import VERSION, Item, Origin
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.learning import TrainingSet, sample_rows
from biasloop.domain.split import Split, group_roots
from biasloop.domain.votes.consensus import ConsensusMethod, ItemLabel, resolve_item_labels
from biasloop.ports import Pool


def training_data(
    pool: Pool,
    annotations: Iterable[Annotation],
    scheme: Scheme,
    method: ConsensusMethod = ConsensusMethod.MAJORITY,
    *,
    constructed_weight: float,
    written: Mapping[str, float] = MappingProxyType({}),
    soft: bool = False,
    random: Set[str] = frozenset(),
) -> pd.DataFrame:
    """One row per labelled train item, in the order of the pool: item_id, row, text, root, fold,
    group, operation, source, random, weight, family, and a column per label (see `columns`): 1, 0,
    or -1 where it was not asked about. `random` are the ids of random items (see `random_items`).

    `written` are the weights of texts by language models, by item id; those of weight 0 have no
    row. Rows that share a root have the same `fold`, and so have rows that are linked through
    others.

    With `soft`, an item whose n votes differ has n rows, one per vote, each of 1/n of the weight,
    so that the target of a label is the share of votes for it. `family` is the same for all
    versions of one sentence that an author wrote, and "" for all other rows.
    """
    label_by_item = resolve_item_labels(annotations, scheme, method)
    rows = pool.rows_of(list(label_by_item))
    erased = pool.column("erased")
    split = pool.column("split")
    rows = np.sort(rows[rows >= 0])
    rows = rows[~erased[rows] & (split[rows] == Split.TRAIN)]
    examples = [
        (item, row, item_label, 1 / len(votes))
        for item, row in zip(pool.items(rows), rows, strict=True)
        for votes in [_votes(label_by_item[item.id], soft)]
        for item_label in votes
    ]
    items, item_labels = (
        [item for item, *_ in examples],
        [item_label for _, _, item_label, _ in examples],
    )
    labels = scheme.encode([v.labels for v in item_labels], [v.asked for v in item_labels])
    data = pd.DataFrame(
        {
            "item_id": [item.id for item in items],
            "row": [row for _, row, _, _ in examples],
            "text": [item.text for item in items],
            "root": [item.roots[0] for item in items],
            "group": [item.group for item in items],
            "operation": [item.operation for item in items],
            "family": _families(items),
            "source": [str(v.source) for v in item_labels],
            "random": [item.id in random for item in items],
            "weight": [
                share * _weight(item.id, v.source, constructed_weight, written)
                for item, _, v, share in examples
            ],
        }
    )
    data[columns(scheme.labels)] = labels
    teaches = (data["weight"] > 0).to_numpy()
    data = data[teaches].reset_index(drop=True)
    roots = [item.roots for item, teaches_row in zip(items, teaches, strict=True) if teaches_row]
    data.insert(data.columns.get_loc("root") + 1, "fold", group_roots(roots))
    return data


def _weight(
    item_id: str, source: LabelSource, constructed: float, written: Mapping[str, float]
) -> float:
    match source:
        case LabelSource.CONSTRUCTED:
            return constructed
        case LabelSource.LLM:
            return written.get(item_id, 0.0)
        case _:
            return 1.0


def _votes(item_label: ItemLabel, soft: bool) -> Sequence[ItemLabel]:
    differ = len({frozenset(labels) for labels, _ in item_label.votes}) > 1
    if not soft or not differ:
        return [item_label]
    return [replace(item_label, labels=labels, asked=asked) for labels, asked in item_label.votes]


def columns(labels: Sequence[str]) -> list[str]:
    """Names of the columns of labels; prefixed, since a campaign may have a label "family"."""
    return [f"label_{name}" for name in labels]


def training_set(data: pd.DataFrame, labels: Sequence[str], multi: bool) -> TrainingSet:
    """The rows of `training_data` as the training set of a classifier."""
    return TrainingSet(
        texts=data["text"].tolist(),
        labels=data[columns(labels)].to_numpy(np.int8),
        weights=data["weight"].to_numpy(np.float32),
        roots=data["fold"].to_numpy(str),
        sources=[LabelSource(source) for source in data["source"]],
        label_names=tuple(labels),
        multi=multi,
        random=data["random"].to_numpy(bool),
    )


def random_items(drawn: Set[str], annotations: Iterable[Annotation]) -> Set[str]:
    """The ids of items that stand for the pool: `drawn` from its train roots at random, or imported
    as a random sample. Audit items are never among them."""
    return drawn | {a.item_id for a in annotations if a.is_random_sample}


def sample_unlabelled(pool: Pool, labelled: Iterable[str], seed: int) -> Rows:
    """A random sample of the rows of real train items that have no label; see sample_rows."""
    split, origin, erased = (pool.column(name) for name in ("split", "origin", "erased"))
    free = (split == Split.TRAIN) & (origin == Origin.REAL) & ~erased
    rows = pool.rows_of(list(labelled))
    free[rows[rows >= 0]] = False
    return sample_rows(np.flatnonzero(free), seed)


def _families(items: Sequence[Item]) -> list[str]:
    parent_by_version = {
        item.id: item.parents[0] for item in items if item.operation.startswith(VERSION)
    }
    parents = set(parent_by_version.values())
    return [parent_by_version.get(item.id, item.id if item.id in parents else "") for item in items]
