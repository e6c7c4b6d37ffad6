"""How good models are on people's labels of real audit items."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
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
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.evaluate.handover import proba_file, thresholds_file


@dataclass(frozen=True, slots=True)
class AuditSet:
    """Human-labelled real audit items and what people said of them, aligned."""

    items: Sequence[Item]
    item_labels: Sequence[ItemLabel]
    pending: int
    """Audit items that people were asked about and have not answered."""
    skipped: int
    """Audit items that people skipped: non-response."""

    def labels(self, scheme: Scheme) -> Labels:
        """What people said, (n, k)."""
        return scheme.encode(
            [v.labels for v in self.item_labels], [v.asked for v in self.item_labels]
        )

    def frame(self, pool: Pool) -> pd.DataFrame:
        """The items as a job reads them: pool row and text of each."""
        rows = pool.rows_of([item.id for item in self.items])
        return pd.DataFrame({"row": rows, "text": [item.text for item in self.items]})

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
        item_labels=[human[item.id] for item in items],
        pending=len(set(asked) - set(human) - skips),
        skipped=len(skips),
    )


def report(
    *,
    model: ModelVersion,
    baseline: ModelVersion | None,
    audit: AuditSet,
    seen: set[str],
    work: Path,
    context: EvaluationContext,
) -> dict[str, Any]:
    """What is measured of the model, and of `baseline` on the same items next to it.

    `seen` are the text hashes that the model learned from, `work` the folder of the finished job.
    """
    models = [model, baseline] if baseline else [model]
    proba = {m.id: np.load(proba_file(work, m.id)) for m in models}
    flags = {
        name: decide(proba[name], np.load(thresholds_file(work, name)), context.scheme.multi)
        for name in proba
    }
    scheme = context.scheme
    labels, roots = audit.labels(scheme), audit.roots
    unseen = np.array([item.text_hash not in seen for item in audit.items])
    how: dict[str, Any] = {"multi": scheme.multi, "seed": context.seed}

    def of(name: str, keep: NDArray[np.bool_] | slice = slice(None)) -> dict[str, Any]:
        return measure(
            labels[keep], proba[name][keep], flags[name][keep], roots[keep], scheme.labels, **how
        ).as_dict()

    figures: dict[str, Any] = {
        "audit": of(model.id),
        "audit_unseen_texts": of(model.id, unseen) if unseen.any() else None,
        "pending": audit.pending,
        "skipped": audit.skipped,
    }
    if baseline:
        old, new = flags[baseline.id], flags[model.id]
        figures["baseline"] = of(baseline.id)
        figures["difference"] = compare(labels, old, new, roots, scheme.labels, **how).as_dict()
    return figures
