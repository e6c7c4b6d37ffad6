"""TRAINED -> EVALUATED: how good the new model is, and whether it goes into service.

Audit only reports (R7): what is decided here is decided on out-of-fold verdicts over train items.
"""

from collections.abc import Sequence
from typing import Any

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.promotion import Decision, decide_promotion
from biasloop.domain.measure.stopping import Stopping
from biasloop.domain.model import Evaluation, ModelVersion, Promotion
from biasloop.domain.round import Done
from biasloop.ports import Pool
from biasloop.rounds.steps.evaluate.audit import audit_set, report
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.evaluate.out_of_fold import compare_out_of_fold
from biasloop.rounds.steps.evaluate.savings import measure_savings
from biasloop.rounds.steps.evaluate.stopping import stopping_advice


def evaluate(
    *,
    model: ModelVersion | None,
    trained_on: Sequence[str],
    in_service: ModelVersion | None,
    earlier: Sequence[str],
    annotations: Sequence[Annotation],
    selections: Sequence[tuple[int, Selection]],
    promote: bool,
    stopping: Stopping | None,
    context: EvaluationContext,
) -> Done:
    """Reports on the new model, on the one in service on the same items beside it, and on what
    the strategy's choice of labels has saved.

    `trained_on` are the items that the new model learned from, `earlier` the ids of the models of
    the rounds before, oldest first. With `promote` it goes into service unless it is shown to be
    worse. Without `stopping` there is no advice whether to stop.
    """
    if model is None:
        return Done(facts={"evaluated": None})
    asked = [s.item_id for _, s in selections if s.arm is Arm.AUDIT]
    audit = audit_set(context.pool, annotations, context.scheme, asked, context.consensus)
    baseline = in_service if in_service and in_service.id != model.id else None
    decision = _decide(model, baseline, promote, context)
    facts: dict[str, Any] = {
        "evaluated": len(audit.items),
        "audit_pending": audit.pending,
        "audit_skipped": audit.skipped,
        "promotion": decision.as_dict(),
    }
    if stopping:
        facts["stopping"] = stopping_advice(model, earlier, trained_on, stopping, context).as_dict()
    records: list[Any] = []
    if audit.items:
        seen = _text_hashes(context.pool, trained_on)
        found = report(model=model, baseline=baseline, audit=audit, seen=seen, context=context)
        found["savings"] = measure_savings(model, annotations, selections, audit, context)
        records.append(Evaluation(model.id, baseline.id if baseline else None, found))
    if decision.promoted:
        records.append(Promotion(model.id, decision.why))
    return Done(facts=facts, records=tuple(records))


def _decide(
    model: ModelVersion, baseline: ModelVersion | None, promote: bool, context: EvaluationContext
) -> Decision:
    """By what people and seeds say: a constructed label never vouches for a model."""
    if baseline is None:
        return decide_promotion(model.id, None, None, auto=promote)
    real = (LabelSource.HUMAN, LabelSource.SEED)
    found = compare_out_of_fold(baseline.id, model.id, real, context)
    return decide_promotion(model.id, baseline.id, found, auto=promote)


def _text_hashes(pool: Pool, item_ids: Sequence[str]) -> set[str]:
    rows = pool.rows_of(item_ids)
    return set(pool.column("text_hash")[rows[rows >= 0]])
