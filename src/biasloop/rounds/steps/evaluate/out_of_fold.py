"""Compares two models by their out-of-fold verdicts on train items."""

from collections.abc import Collection

import numpy as np

from biasloop.domain.label import LabelSource
from biasloop.domain.measure.metric import Comparison, compare
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.stored_verdicts import flag_columns, read_verdicts
from biasloop.rounds.steps.train.data import columns


def compare_out_of_fold(
    old: str, new: str, sources: Collection[LabelSource], context: EvaluationContext
) -> Comparison | None:
    """New minus old on the items that both learned from with a label from these sources.

    The labels that the new one learned from count as true. None when a model has no stored
    verdicts, or when they have no items or labels in common.
    """
    before, after = (
        read_verdicts(context.models, old, "oof"),
        read_verdicts(context.models, new, "oof"),
    )
    if before is None or after is None:
        return None
    common_columns = set(before) & set(after)
    labels = [name for name in context.scheme.labels if flag_columns([name])[0] in common_columns]
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
