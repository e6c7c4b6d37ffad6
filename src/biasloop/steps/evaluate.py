"""TRAINED -> EVALUATED: how good the new model is on people's labels of real audit items (R7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation
from biasloop.domain.consensus import Method, Verdict, resolve
from biasloop.domain.item import Item, Origin
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.metric import compare, decide
from biasloop.domain.metric import evaluate as measure
from biasloop.domain.model import Evaluation, ModelVersion, Promotion
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.ports import Pool
from biasloop.process import Heartbeat, job_folder, run_job


@dataclass(frozen=True, slots=True)
class AuditSet:
    """Human-labelled real audit items and what people said of them, aligned."""

    items: Sequence[Item]
    verdicts: Sequence[Verdict]
    pending: int
    """Audit items that people were asked about and have not answered."""
    skipped: int
    """Audit items that people skipped: non-response."""


def evaluate(
    *,
    model: ModelVersion | None,
    trained_on: Sequence[str],
    in_service: ModelVersion | None,
    folders: Path,
    pool: Pool,
    audit: AuditSet,
    scheme: Scheme,
    promote: bool,
    work_folder: Path,
    seed: int,
    heartbeat: Heartbeat,
) -> Done:
    """Reports on the new model, and on the one in service on the same items beside it.

    `trained_on` are the items that the new model learned from; `folders` is what the models'
    folders are relative to. The newest model goes into service when `promote` says so; nothing is
    chosen on audit items.
    """
    if model is None:
        return Done(facts={"evaluated": None})
    promotion = (Promotion(model.id, "newest finished model"),) if promote else ()
    facts: dict[str, Any] = {
        "evaluated": len(audit.items),
        "audit_pending": audit.pending,
        "audit_skipped": audit.skipped,
    }
    if not audit.items:
        return Done(facts=facts, records=promotion)
    baseline = in_service if in_service and in_service.id != model.id else None
    proba, flags = _predict(
        [m for m in (model, baseline) if m], folders, audit.items, scheme, work_folder, heartbeat
    )
    labels = scheme.encode([v.labels for v in audit.verdicts], [v.asked for v in audit.verdicts])
    roots = np.array([item.roots[0] for item in audit.items])
    seen = _text_hashes(pool, trained_on)
    unseen = np.array([item.text_hash not in seen for item in audit.items])
    how: dict[str, Any] = {"multi": scheme.multi, "seed": seed}

    def report(name: str, keep: NDArray[np.bool_] | slice = slice(None)) -> dict[str, Any]:
        return measure(
            labels[keep], proba[name][keep], flags[name][keep], roots[keep], scheme.labels, **how
        ).as_dict()

    found: dict[str, Any] = {
        "audit": report(model.id),
        "audit_unseen_texts": report(model.id, unseen) if unseen.any() else None,
        "pending": audit.pending,
        "skipped": audit.skipped,
    }
    if baseline:
        old, new = flags[baseline.id], flags[model.id]
        found["baseline"] = report(baseline.id)
        found["difference"] = compare(labels, old, new, roots, scheme.labels, **how).as_dict()
    record = Evaluation(model.id, baseline.id if baseline else None, found)
    return Done(facts=facts, records=(record, *promotion))


def audit_set(
    pool: Pool,
    annotations: Iterable[Annotation],
    scheme: Scheme,
    asked: Sequence[str],
    method: Method = Method.MAJORITY,
) -> AuditSet:
    """What people said of audit items; `asked` are the ids of the audit arm so far."""
    known = list(annotations)
    human = {
        item_id: verdict
        for item_id, verdict in resolve(known, scheme, method).items()
        if verdict.source is LabelSource.HUMAN
    }
    erased = pool.column("erased")
    rows = [int(r) for r in pool.rows_of(list(human)) if r >= 0 and not erased[r]]
    items = [
        item
        for item in pool.items(sorted(rows))
        if item.split is Split.AUDIT and item.origin is Origin.REAL
    ]
    skips = {a.item_id for a in known if a.standing == "skip"} & set(asked) - set(human)
    return AuditSet(
        items=items,
        verdicts=[human[item.id] for item in items],
        pending=len(set(asked) - set(human) - skips),
        skipped=len(skips),
    )


def _predict(
    models: Sequence[ModelVersion],
    folders: Path,
    items: Sequence[Item],
    scheme: Scheme,
    work_folder: Path,
    heartbeat: Heartbeat,
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.bool_]]]:
    """(probabilities, flags) of each model, by model id; each (n, k)."""
    texts = pd.DataFrame({"text": [item.text for item in items]})
    job = {
        "kind": "predict",
        "models": [
            {"id": m.id, "classifier": m.classifier, "folder": str(folders / m.folder)}
            for m in models
        ],
    }
    work = job_folder(work_folder, job, texts.to_parquet())
    run_job(work, job, heartbeat)
    proba = {m.id: np.load(work / f"{m.id}.npy") for m in models}
    flags = {
        name: decide(found, np.load(work / f"{name}.thresholds.npy"), scheme.multi)
        for name, found in proba.items()
    }
    return proba, flags


def _text_hashes(pool: Pool, item_ids: Sequence[str]) -> set[str]:
    rows = pool.rows_of(item_ids)
    return set(pool.column("text_hash")[rows[rows >= 0]])
