"""TRAINED -> EVALUATED: measures the new model and decides whether it goes into service.

Audit items are for reports only (R7): decisions rest on out-of-fold verdicts on train items.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.label import EVIDENCE
from biasloop.domain.measure.design import Array
from biasloop.domain.measure.promotion import PromotionDecision, decide_promotion
from biasloop.domain.measure.stopping import Criterion, StoppingRule
from biasloop.domain.model import Evaluation, ModelVersion, Promotion
from biasloop.domain.round import Done
from biasloop.errors import JobError
from biasloop.ports import Pool
from biasloop.rounds.child import job_folder, run_job
from biasloop.rounds.results import Result
from biasloop.rounds.steps.evaluate.audit import AuditSet, audit_set, report
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.evaluate.handover import (
    EvaluateJob,
    part_file,
    read_part,
    stop_verdicts_file,
)
from biasloop.rounds.steps.evaluate.out_of_fold import compare_out_of_fold
from biasloop.rounds.steps.evaluate.savings import ArmComparison, compare_arms, report_savings
from biasloop.rounds.steps.evaluate.stopping import earlier_verdicts, stop_frame, stopping_advice
from biasloop.rounds.steps.stored_verdicts import write_verdicts
from biasloop.store.atomic import write_whole


def evaluate(
    *,
    model: ModelVersion | None,
    trained_on: Sequence[str],
    in_service: ModelVersion | None,
    earlier: Sequence[str],
    annotations: Sequence[Annotation],
    selections: Sequence[tuple[int, Selection]],
    probability: Array | None = None,
    promote: bool,
    stopping: StoppingRule | None,
    context: EvaluationContext,
) -> Done:
    """Reports on the new model, on the one in service on the same items, and on the labels that the
    strategy has saved.

    `trained_on` are the ids of the items that the new model learned from, `earlier` those of the
    models of earlier rounds, oldest first. With `promote` the new model goes into service unless
    it is shown to be worse. Without `stopping` there is no advice on whether to stop.
    `probability` (rows,) is the inclusion probability of each pool row that was drawn for audit,
    NaN for all others.
    """
    if model is None:
        return Done(facts={"evaluated": None})
    audited = [(round_id, s.item_id) for round_id, s in selections if s.arm is Arm.AUDIT]
    audit = audit_set(
        context.pool,
        annotations,
        context.scheme,
        [item_id for _, item_id in audited],
        context.consensus,
        probability,
    )
    audit = replace(audit, rounds=len({round_id for round_id, _ in audited}))
    baseline = in_service if in_service and in_service.id != model.id else None
    comparison = compare_arms(annotations, selections, audit, context)
    stop = stop_frame(context.pool, trained_on) if stopping else None
    work, result = _measure(model, baseline, audit, stop, earlier, comparison, context)

    decision = _decide(model, baseline, promote, context)
    facts: dict[str, Any] = {
        "evaluated": len(audit.items),
        "audit_pending": audit.pending,
        "audit_skipped": audit.skipped,
        "promotion": decision.as_dict(),
    }
    if stopping:
        stability = [Criterion(**each) for each in result.get("stopping", {}).get("criteria", ())]
        advice = stopping_advice(model, earlier, stability, stopping, context)
        facts["stopping"] = advice.as_dict()
    records: list[Any] = []
    if audit.items:
        seen = _text_hashes(context.pool, trained_on)
        figures = report(
            model=model, baseline=baseline, audit=audit, seen=seen, work=work, context=context
        )
        savings = report_savings(comparison, result.get("savings", {}), audit, work, context)
        figures["savings"] = savings
        records.append(Evaluation(model.id, baseline.id if baseline else None, figures))
    if decision.promoted:
        records.append(Promotion(model.id, decision.why))
    return Done(facts=facts, records=tuple(records))


def _measure(
    model: ModelVersion,
    baseline: ModelVersion | None,
    audit: AuditSet,
    stop: pd.DataFrame | None,
    earlier: Sequence[str],
    comparison: ArmComparison,
    context: EvaluationContext,
) -> tuple[Path, Result]:
    """Runs the job and stores the model's verdicts on the stop set; returns (folder, result)."""
    job = EvaluateJob(
        model=context.saved(model),
        labels=context.scheme.labels,
        multi=context.scheme.multi,
        renamed=context.scheme.renamed,
        seed=context.seed,
        pool=context.pool_folder,
        features=context.features_folder,
    )
    frames: dict[str, pd.DataFrame] = {}
    if audit.items:
        judges = (model, baseline) if baseline else (model,)
        job = replace(job, judges=tuple(map(context.saved, judges)))
        frames["audit"] = audit.frame(context.pool)
    if stop is not None and len(stop):
        job = replace(job, earlier=earlier_verdicts(context.models, earlier))
        frames["stop"] = stop
    if audit.items and comparison.frame is not None:
        job = replace(job, options=model.card["settings"]["options"])
        frames["savings"] = comparison.frame
    if not frames:
        return context.work_folder, {}
    work = job_folder(context.work_folder, job, **frames)
    result = _run(work, job, context)
    if "stop" in frames:
        context.heartbeat()  # after losing the lease it must not touch what its successor stores
        write_verdicts(context.models, model.id, "stop", pd.read_parquet(stop_verdicts_file(work)))
    return work, result


def _run(work: Path, job: EvaluateJob, context: EvaluationContext) -> Result:
    """Runs the job. If the child dies while it measures savings, its last part, the error is
    stored as the result of that part, so that the round can still end."""
    try:
        return run_job(work, job, context.heartbeat)
    except JobError as error:
        unfinished = [part for part in job.parts if read_part(work, job, part) is None]
        if unfinished != ["savings"]:
            raise
        write_whole(part_file(work, "savings"), json.dumps({"error": str(error)}))
        return run_job(work, job, context.heartbeat)


def _decide(
    model: ModelVersion, baseline: ModelVersion | None, promote: bool, context: EvaluationContext
) -> PromotionDecision:
    """Compares on labels by people and seeds only: constructed ones are no evidence for a model."""
    if baseline is None:
        return decide_promotion(model.id, None, None, auto=promote)
    difference = compare_out_of_fold(baseline.id, model.id, EVIDENCE, context)
    return decide_promotion(model.id, baseline.id, difference, auto=promote)


def _text_hashes(pool: Pool, item_ids: Sequence[str]) -> set[str]:
    rows = pool.rows_of(item_ids)
    return set(pool.column("text_hash")[rows[rows >= 0]])
