"""Compares two models by their out-of-fold verdicts on train items."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from biasloop.domain.label import LabelSource
from biasloop.domain.measure.metric import Comparison, Flags, compare
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.stored_verdicts import (
    flag_columns,
    labels_judged,
    read_verdicts,
    verdicts_path,
)
from biasloop.rounds.steps.train.data import columns


def compare_out_of_fold(
    old: str, new: str, sources: Collection[LabelSource], context: EvaluationContext
) -> Comparison | None:
    """New minus old on the items that both learned from with a label from these sources.

    The labels that the new one learned from count as true. None when a model has no stored
    verdicts, or when they have no items or labels in common.
    """
    before, after = (_stored(model, context) for model in (old, new))
    if before is None or after is None:
        return None
    labels = context.scheme.known_labels(labels_judged(before) & labels_judged(after))
    both = after.merge(before, on="item_id", suffixes=("", " before"))
    both = both[both["source"].isin(sources) & both["source before"].isin(sources)]
    if both.empty or not labels:
        return None
    flags = flag_columns(labels)
    return compare(
        both[columns(labels)].to_numpy(np.int8),
        both[[f"{flag} before" for flag in flags]].to_numpy(bool),
        both[flags].to_numpy(bool),
        both["root"].to_numpy(str),
        labels,
        multi=context.scheme.multi,
        seed=context.seed,
    )


def out_of_fold_flags(model: str, context: EvaluationContext) -> Flags:
    """The model's stored verdicts (n, k) for the labels of today that it judged; (0, 0) without."""
    table = _stored(model, context)
    if table is None:
        return np.zeros((0, 0), bool)
    labels = context.scheme.known_labels(labels_judged(table))
    flags: Flags = table[flag_columns(labels)].to_numpy(bool)
    return flags


def _stored(model: str, context: EvaluationContext) -> pd.DataFrame | None:
    return read_verdicts(verdicts_path(context.models, model, "oof"), context.scheme)
