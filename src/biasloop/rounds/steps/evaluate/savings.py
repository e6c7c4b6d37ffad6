"""How many labels the strategy has saved so far, by learning curves of two arms on audit items."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.label import BY_PEOPLE, LabelSource
from biasloop.domain.measure.metric import MIN_POSITIVES, micro_f1
from biasloop.domain.measure.savings import (
    MAX_LABELS,
    MIN_LABELS,
    MIN_WITNESSES,
    SavingsPlan,
    estimate_savings,
)
from biasloop.domain.measure.weighted import effective_number
from biasloop.rounds.steps.evaluate.audit import AuditSet
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.evaluate.handover import flags_file
from biasloop.rounds.steps.train.data import training_data


@dataclass(frozen=True, slots=True)
class ArmComparison:
    """What the comparison of two arms needs.

    `facts` go into the report, `frame` holds the rows that models learn from and are tested on,
    `witnesses` is the number of audit ads with a positive. `why` says why nothing can be measured
    yet; None if it can.
    """

    facts: Mapping[str, Any]
    frame: pd.DataFrame | None
    witnesses: int
    why: str | None = None

    def unmeasured(self, why: str) -> dict[str, Any]:
        """The report when nothing was measured."""
        return {**self.facts, "points": (), "saved": None, "why": why}


def compare_arms(
    annotations: Iterable[Annotation],
    selections: Sequence[tuple[int, Selection]],
    audit: AuditSet,
    context: EvaluationContext,
) -> ArmComparison:
    """Collects what the models of both arms learn from.

    Constructed rows are in neither arm: a version of an item would bring it into the subsets that
    lack it. Seeds are in both, since the strategy chose what to add to them; but in neither when
    they are more than the labels compared, which they would drown.
    """
    labelled = training_data(
        context.pool, annotations, context.scheme, context.consensus, constructed_weight=0
    )
    acquired = _labels_of_arm(labelled, selections, Arm.ACQUISITION)
    random = _labels_of_arm(labelled, selections, Arm.RANDOM_TRAIN)
    labels = min(len(acquired), len(random), MAX_LABELS)
    seeds = labelled[labelled["source"] == LabelSource.SEED]
    with_seeds = 0 < len(seeds) <= labels
    facts = {"labels": labels, "with_seeds": with_seeds}
    truth, roots = audit.labels(context.scheme), audit.roots
    positives = effective_number(np.repeat(audit.weights, (truth == 1).sum(axis=1)))
    witnesses = len(np.unique(roots[(truth == 1).any(axis=1)]))
    if why := _lack_of_labels(len(acquired), len(random), int(positives), witnesses):
        return ArmComparison(facts, None, witnesses, why)
    parts = [
        acquired[:labels].assign(part="acquired"),
        random[:labels].assign(part="random"),
        seeds[: len(seeds) * with_seeds].assign(part="seed"),
        audit.frame(context.pool).assign(part="audit"),
    ]
    return ArmComparison(facts, pd.concat(parts, ignore_index=True), witnesses)


def report_savings(
    comparison: ArmComparison,
    result: Mapping[str, Any],
    audit: AuditSet,
    work: Path,
    context: EvaluationContext,
) -> dict[str, Any]:
    """Both curves and the labels saved, or why they are not known yet; see domain.measure.savings.

    The measure is micro F1 on audit items, as in the learning curve of the page, of models trained
    like the job's. `result` is what this part of the job returned, `work` the folder of the
    finished job.
    """
    if comparison.why:
        return comparison.unmeasured(comparison.why)
    if "error" in result:
        return comparison.unmeasured(f"the models failed: {result['error']}")
    plan = SavingsPlan.from_label_count(comparison.facts["labels"], **result, seed=context.seed)
    truth, roots = audit.labels(context.scheme), audit.roots
    scores = micro_f1(
        truth, np.load(flags_file(work)), roots, seed=context.seed, weights=audit.weights
    )
    t = len(plan.budgets)
    savings = estimate_savings(
        plan, scores[:, :t], plan.curves(scores[:, t:]), comparison.witnesses, context.seed
    )
    return {**comparison.facts, **savings.as_dict()}


def _labels_of_arm(
    labelled: pd.DataFrame, selections: Sequence[tuple[int, Selection]], arm: Arm
) -> pd.DataFrame:
    """The rows of `labelled` that people labelled in an arm, in the order of selection."""
    human = labelled[labelled["source"].isin(BY_PEOPLE)].set_index("item_id", drop=False)
    chosen = dict.fromkeys(s.item_id for _, s in selections if s.arm is arm)
    return human.loc[[item for item in chosen if item in human.index]]


def _lack_of_labels(acquired: int, random: int, positives: int, witnesses: int) -> str | None:
    if min(acquired, random) < MIN_LABELS:
        return f"{acquired} acquired and {random} random labels, {MIN_LABELS} of each needed"
    if positives < MIN_POSITIVES or witnesses < MIN_WITNESSES:
        return (
            f"{positives} positives in {witnesses} audit ads, {MIN_POSITIVES} in "
            f"{MIN_WITNESSES} needed"
        )
    return None
