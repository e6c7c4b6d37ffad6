"""How good models are on people's labels of real audit items."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation
from biasloop.domain.item import Item, Origin
from biasloop.domain.label import Labels, LabelSource, Scheme
from biasloop.domain.measure.metric import compare, decide
from biasloop.domain.measure.metric import evaluate as measure
from biasloop.domain.model import ModelVersion
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import ItemLabel, Method, resolve
from biasloop.ports import Pool
from biasloop.rounds.child import job_folder, run_job
from biasloop.rounds.steps.evaluate.context import EvaluationContext


@dataclass(frozen=True, slots=True)
class AuditSet:
    """Human-labelled real audit items and what people said of them, aligned."""

    items: Sequence[Item]
    verdicts: Sequence[ItemLabel]
    pending: int
    """Audit items that people were asked about and have not answered."""
    skipped: int
    """Audit items that people skipped: non-response."""

    def labels(self, scheme: Scheme) -> Labels:
        """What people said, (n, k)."""
        return scheme.encode([v.labels for v in self.verdicts], [v.asked for v in self.verdicts])

    @property
    def roots(self) -> NDArray[np.str_]:
        """The ad of each item, (n,)."""
        return np.array([item.roots[0] for item in self.items])


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


def report(
    *,
    model: ModelVersion,
    baseline: ModelVersion | None,
    audit: AuditSet,
    seen: set[str],
    context: EvaluationContext,
) -> dict[str, Any]:
    """What is measured of the model, and of `baseline` on the same items beside it.

    `seen` are the text hashes that the model learned from.
    """
    models = [model, baseline] if baseline else [model]
    proba, flags = _predict(models, audit.items, context)
    scheme = context.scheme
    labels, roots = audit.labels(scheme), audit.roots
    unseen = np.array([item.text_hash not in seen for item in audit.items])
    how: dict[str, Any] = {"multi": scheme.multi, "seed": context.seed}

    def of(name: str, keep: NDArray[np.bool_] | slice = slice(None)) -> dict[str, Any]:
        return measure(
            labels[keep], proba[name][keep], flags[name][keep], roots[keep], scheme.labels, **how
        ).as_dict()

    found: dict[str, Any] = {
        "audit": of(model.id),
        "audit_unseen_texts": of(model.id, unseen) if unseen.any() else None,
        "pending": audit.pending,
        "skipped": audit.skipped,
    }
    if baseline:
        old, new = flags[baseline.id], flags[model.id]
        found["baseline"] = of(baseline.id)
        found["difference"] = compare(labels, old, new, roots, scheme.labels, **how).as_dict()
    return found


def _predict(
    models: Sequence[ModelVersion], items: Sequence[Item], context: EvaluationContext
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.bool_]]]:
    """(probabilities, flags) of each model, by model id; each (n, k)."""
    texts = pd.DataFrame({"text": [item.text for item in items]})
    job = {"kind": "predict", "models": [context.model(m) for m in models]}
    work = job_folder(context.work_folder, job, texts.to_parquet())
    run_job(work, job, context.heartbeat)
    proba = {m.id: np.load(work / f"{m.id}.npy") for m in models}
    flags = {
        name: decide(found, np.load(work / f"{name}.thresholds.npy"), context.scheme.multi)
        for name, found in proba.items()
    }
    return proba, flags
