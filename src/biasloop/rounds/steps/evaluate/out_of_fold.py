"""Two models compared on train items, each judged by models that had not seen the item's root."""

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

    True is what the new one was told. None when a model kept no verdicts, or they share nothing.
    """
    before, after = (
        read_verdicts(context.models, old, "oof"),
        read_verdicts(context.models, new, "oof"),
    )
    if before is None or after is None:
        return None
    told = set(before) & set(after)
    labels = [name for name in context.scheme.labels if flag_columns([name])[0] in told]
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
