"""What the strategy's choice of labels has saved so far: learning curves of two arms, on audit."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.metric import MIN_POSITIVES, micro_f1
from biasloop.domain.measure.savings import MAX_LABELS, MIN_LABELS, MIN_WITNESSES, Plan, estimate
from biasloop.domain.model import ModelVersion
from biasloop.errors import ClassifierError, JobError
from biasloop.rounds.child import job_folder, run_job
from biasloop.rounds.steps.evaluate.audit import AuditSet
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.train.data import training_data


def measure_savings(
    model: ModelVersion,
    annotations: Iterable[Annotation],
    selections: Sequence[tuple[int, Selection]],
    audit: AuditSet,
    context: EvaluationContext,
) -> dict[str, Any]:
    """Both curves and the labels saved, or why they cannot be told yet; see domain.savings.

    Micro F1 on audit items, as the page's learning curve, of models trained as `model` was.
    Constructed rows are in neither arm: a version of an item would bring it into the subsets that
    lack it. Seeds are in both, since the strategy chose what to add to them; but in neither when
    they are more than the labels compared, which they would drown.

    That nothing can be measured is no reason to keep a round from ending.
    """
    labelled = training_data(
        context.pool, annotations, context.scheme, context.consensus, constructed_weight=0
    )
    acquired = _of_arm(labelled, selections, Arm.ACQUISITION)
    random = _of_arm(labelled, selections, Arm.RANDOM_TRAIN)
    labels = min(len(acquired), len(random), MAX_LABELS)
    seeds = labelled[labelled["source"] == LabelSource.SEED]
    with_seeds = 0 < len(seeds) <= labels
    told = {"labels": labels, "with_seeds": with_seeds}
    truth, roots = audit.labels(context.scheme), audit.roots
    witnesses = len(np.unique(roots[(truth == 1).any(axis=1)]))
    if why := _too_little(len(acquired), len(random), int((truth == 1).sum()), witnesses):
        return told | {"points": (), "saved": None, "why": why}

    data = pd.concat(
        [
            acquired[:labels].assign(part="acquired"),
            random[:labels].assign(part="random"),
            seeds[: len(seeds) * with_seeds].assign(part="seed"),
            _texts(audit, context).assign(part="audit"),
        ],
        ignore_index=True,
    )
    job = {
        "kind": "savings",
        "model": context.model(model),
        "options": model.card["settings"]["options"],
        "labels": list(context.scheme.labels),
        "multi": context.scheme.multi,
        "seed": context.seed,
        **context.data,
    }
    try:
        work = job_folder(context.work_folder, job, data.to_parquet())
        plan = Plan.of(labels, **run_job(work, job, context.heartbeat), seed=context.seed)
    except (ClassifierError, JobError) as error:
        return told | {"points": (), "saved": None, "why": f"the models failed: {error}"}
    flags = np.load(work / "flags.npy")
    scores = micro_f1(truth, flags, roots, seed=context.seed)
    t = len(plan.budgets)
    found = estimate(plan, scores[:, :t], plan.curves(scores[:, t:]), witnesses, context.seed)
    return told | found.as_dict()


def _of_arm(
    labelled: pd.DataFrame, selections: Sequence[tuple[int, Selection]], arm: Arm
) -> pd.DataFrame:
    """People's labels of the items of an arm, in the order in which these were chosen."""
    human = labelled[labelled["source"] == LabelSource.HUMAN].set_index("item_id", drop=False)
    chosen = dict.fromkeys(s.item_id for _, s in selections if s.arm is arm)
    return human.loc[[item for item in chosen if item in human.index]]


def _texts(audit: AuditSet, context: EvaluationContext) -> pd.DataFrame:
    rows = context.pool.rows_of([item.id for item in audit.items])
    return pd.DataFrame({"row": rows, "text": [item.text for item in audit.items]})


def _too_little(acquired: int, random: int, positives: int, witnesses: int) -> str | None:
    if min(acquired, random) < MIN_LABELS:
        return f"{acquired} acquired and {random} random labels, {MIN_LABELS} of each needed"
    if positives < MIN_POSITIVES or witnesses < MIN_WITNESSES:
        return (
            f"{positives} positives in {witnesses} audit ads, {MIN_POSITIVES} in "
            f"{MIN_WITNESSES} needed"
        )
    return None
