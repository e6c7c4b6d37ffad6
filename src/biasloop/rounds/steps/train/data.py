"""What a model learns from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from biasloop.domain.annotation import Annotation
from biasloop.domain.item import VERSION, Item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.learning import TrainingSet
from biasloop.domain.split import Split, group_roots
from biasloop.domain.votes.consensus import ItemLabel, Method, resolve
from biasloop.ports import Pool


def training_data(
    pool: Pool,
    annotations: Iterable[Annotation],
    scheme: Scheme,
    method: Method = Method.MAJORITY,
    *,
    constructed_weight: float,
    written: Mapping[str, float] = MappingProxyType({}),
    soft: bool = False,
) -> pd.DataFrame:
    """One row per labelled train item, in the order of the pool: item_id, row, text, root, fold,
    group, operation, source, weight, family, and a column per label (see `columns`): 1, 0, or -1
    where it was not asked about.

    `written` are the weights of language models' texts, by item; those that weigh nothing have no
    row. A `fold` holds all rows that share a root with another one, over however many rows.

    With `soft`, an item whose n votes differ has n rows of an n-th of the weight: the votes
    instead of the consensus, which makes shares of them the target of every single label.
    `family` joins the versions that somebody wrote of one sentence; "" for all other rows.
    """
    verdicts = resolve(annotations, scheme, method)
    rows = pool.rows_of(list(verdicts))
    erased = pool.column("erased")
    split = pool.column("split")
    rows = np.sort(rows[rows >= 0])
    rows = rows[~erased[rows] & (split[rows] == Split.TRAIN)]
    told = [
        (item, row, verdict, 1 / len(verdicts_of))
        for item, row in zip(pool.items(rows), rows, strict=True)
        for verdicts_of in [_said(verdicts[item.id], soft)]
        for verdict in verdicts_of
    ]
    items, found = [item for item, *_ in told], [verdict for _, _, verdict, _ in told]
    labels = scheme.encode([v.labels for v in found], [v.asked for v in found])
    data = pd.DataFrame(
        {
            "item_id": [item.id for item in items],
            "row": [row for _, row, _, _ in told],
            "text": [item.text for item in items],
            "root": [item.roots[0] for item in items],
            "group": [item.group for item in items],
            "operation": [item.operation for item in items],
            "family": _families(items),
            "source": [str(v.source) for v in found],
            "weight": [
                share * _weight(item.id, v.source, constructed_weight, written)
                for item, _, v, share in told
            ],
        }
    )
    data[columns(scheme.labels)] = labels
    teaches = (data["weight"] > 0).to_numpy()
    data = data[teaches].reset_index(drop=True)
    roots = [item.roots for item, one in zip(items, teaches, strict=True) if one]
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


def _said(verdict: ItemLabel, soft: bool) -> Sequence[ItemLabel]:
    differ = len({frozenset(labels) for labels, _ in verdict.votes}) > 1
    if not soft or not differ:
        return [verdict]
    return [replace(verdict, labels=labels, asked=asked) for labels, asked in verdict.votes]


def columns(labels: Sequence[str]) -> list[str]:
    """Names of the labels' columns; prefixed, since a campaign may call a label "family"."""
    return [f"label_{name}" for name in labels]


def training_set(data: pd.DataFrame, labels: Sequence[str], multi: bool) -> TrainingSet:
    """The rows of `training_data` as a classifier takes them."""
    return TrainingSet(
        texts=data["text"].tolist(),
        labels=data[columns(labels)].to_numpy(np.int8),
        weights=data["weight"].to_numpy(np.float32),
        roots=data["fold"].to_numpy(str),
        sources=[LabelSource(source) for source in data["source"]],
        label_names=tuple(labels),
        multi=multi,
    )


def _families(items: Sequence[Item]) -> list[str]:
    own = {item.id: item.parents[0] for item in items if item.operation.startswith(VERSION)}
    parents = set(own.values())
    return [own.get(item.id, item.id if item.id in parents else "") for item in items]
