"""Measures models against people's labels of real audit items."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation
from biasloop.domain.item import Item, Origin
from biasloop.domain.label import BY_PEOPLE, Labels, Scheme
from biasloop.domain.measure.design import Array
from biasloop.domain.measure.weighted import (
    compare_weighted,
    evaluate_weighted,
    with_rounds_left,
)
from biasloop.domain.model import ModelVersion
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import ConsensusMethod, ItemLabel, resolve_item_labels
from biasloop.ports import Pool
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.evaluate.handover import audit_flags_file, proba_file


@dataclass(frozen=True, slots=True)
class AuditSet:
    """Human-labelled real audit items, their labels and their weights (n,), in the same order."""

    items: Sequence[Item]
    item_labels: Sequence[ItemLabel]
    pending: int
    """Number of audit items that were sent to annotators and not answered."""
    skipped: int
    """Number of audit items that annotators skipped: non-response."""
    weights: Array
    """One over the inclusion probability."""
    rounds: int = 0
    """Number of rounds that asked about audit items."""

    def labels(self, scheme: Scheme) -> Labels:
        """People's labels, (n, k)."""
        return scheme.encode(
            [v.labels for v in self.item_labels], [v.asked for v in self.item_labels]
        )

    def frame(self, pool: Pool) -> pd.DataFrame:
        """The frame of the items for a job: pool row and text of each."""
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
    method: ConsensusMethod = ConsensusMethod.MAJORITY,
    probability: Array | None = None,
) -> AuditSet:
    """The labelled audit items; `asked` are the ids of the audit arm so far. `probability` (rows,)
    is the inclusion probability of each pool row, NaN where it has none: such an item stands for
    nothing. None: all are the same."""
    all_annotations = list(annotations)
    human = {
        item_id: item_label
        for item_id, item_label in resolve_item_labels(all_annotations, scheme, method).items()
        if item_label.source in BY_PEOPLE
    }
    erased = pool.column("erased")
    chances = np.ones(len(erased)) if probability is None else probability
    rows = [
        int(r)
        for r in pool.rows_of(list(human))
        if 0 <= r < len(chances) and not erased[r] and chances[r] > 0
    ]
    items = [
        item
        for item in pool.items(sorted(rows))
        if item.split is Split.AUDIT and item.origin is Origin.REAL
    ]
    skips = {a.item_id for a in all_annotations if a.standing == "skip"} & set(asked) - set(human)
    return AuditSet(
        items=items,
        item_labels=[human[item.id] for item in items],
        pending=len(set(asked) - set(human) - skips),
        skipped=len(skips),
        weights=1 / chances[pool.rows_of([item.id for item in items])],
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
    """The figures of the model, and those of `baseline` on the same items; each for the labels that
    the model learned, and the difference for those that both did.

    `seen` are the hashes of the texts that the model learned from, `work` is the folder of the
    finished job.
    """
    models = [model, baseline] if baseline else [model]
    proba = {m.id: np.load(proba_file(work, m.id)) for m in models}
    flags = {m.id: np.load(audit_flags_file(work, m.id)) for m in models}
    scheme = context.scheme
    known = {m.id: np.isin(scheme.labels, scheme.known_labels(m.labels)) for m in models}
    names = np.array(scheme.labels)
    labels, roots = audit.labels(scheme), audit.roots
    unseen = np.array([item.text_hash not in seen for item in audit.items])

    def measured(name: str, selected: NDArray[np.bool_] | slice = slice(None)) -> dict[str, Any]:
        learned = known[name]
        report = evaluate_weighted(
            labels[selected][:, learned],
            proba[name][selected][:, learned],
            flags[name][selected][:, learned],
            roots[selected],
            names[learned].tolist(),
            audit.weights[selected],
            multi=scheme.multi,
        )
        return with_rounds_left(report, audit.rounds).as_dict()

    figures: dict[str, Any] = {
        "audit": measured(model.id),
        "audit_unseen_texts": measured(model.id, unseen) if unseen.any() else None,
        "pending": audit.pending,
        "skipped": audit.skipped,
    }
    if baseline:
        both = known[baseline.id] & known[model.id]
        old, new = flags[baseline.id][:, both], flags[model.id][:, both]
        figures["baseline"] = measured(baseline.id)
        figures["difference"] = compare_weighted(
            labels[:, both],
            old,
            new,
            roots,
            names[both].tolist(),
            audit.weights,
            multi=scheme.multi,
        ).as_dict()
    return figures
