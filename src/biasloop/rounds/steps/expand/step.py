"""OPENED -> EXPANDED: adds synthetic items, made from labelled train items, to the pool."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.item import Item, Origin
from biasloop.domain.label import EVIDENCE, LabelSource, Scheme
from biasloop.domain.policy import Policy
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import ConsensusMethod, ItemLabel, resolve_item_labels
from biasloop.domain.writing.synthesis import SyntheticItem, WritingMaterial
from biasloop.ports import Pool
from biasloop.rounds.child import Heartbeat, job_folder, run_job
from biasloop.rounds.steps.expand.handover import (
    ExpandJob,
    corpus_to_table,
    read_rejected,
    read_synthetic,
    rejected_file,
    synthetic_file,
)

CHUNK = 5_000
"""Number of items appended at a time."""


def expand(
    *,
    corpus: WritingMaterial,
    expanders: Mapping[str, Mapping[str, Any]],
    llm: Mapping[str, Any],
    purse: str,
    workspace: Path,
    pool: Pool,
    scheme: Scheme,
    policy: Policy,
    seed: int,
    now: datetime,
    work_folder: Path,
    heartbeat: Heartbeat,
) -> Done:
    """Runs the expanders in a child process; `expanders` holds their options by name.

    What language models write and judge goes by `policy`, the version in force, and their labels
    name it. `llm` are the settings of the language model, whose spending is charged to `purse`. The
    child reads pool and campaign of `workspace`; this process appends the new items to the pool,
    which skips those that it has already. Raises CampaignError, ConfigError or PoolError.
    """
    job = ExpandJob(
        workspace=workspace,
        expanders=expanders,
        llm=llm,
        purse=purse,
        errors=corpus.errors,
        turn=corpus.turn,
        policy=policy,
        seed=seed,
    )
    work = job_folder(work_folder, job, corpus=corpus_to_table(corpus))
    result = run_job(work, job, heartbeat)
    heartbeat()  # after losing the lease it must not write to the pool
    synthetic = [
        (name, item) for name in expanders for item in read_synthetic(synthetic_file(work, name))
    ]
    added = add_to_pool(synthetic, pool)
    labels = [
        to_annotation(item, name, scheme, policy.id, now) for name, item in synthetic if item.labels
    ]
    rejected = [r for name in expanders for r in read_rejected(rejected_file(work, name))]
    facts = {"expanded": {name: added[name] for name in expanders}}
    return Done(facts=facts | result, records=(*labels, *rejected))


def build_corpus(
    pool: Pool,
    annotations: Iterable[Annotation],
    scheme: Scheme,
    method: ConsensusMethod,
    errors: Mapping[str, float],
    rejections: int,
) -> WritingMaterial:
    """What an expansion starts from. `errors` are error rates by label, `rejections` is the number
    of texts rejected so far."""
    item_labels = resolve_item_labels(annotations, scheme, method)
    parents = _train_items(pool, {i: v for i, v in item_labels.items() if v.source in EVIDENCE})
    written = _train_items(
        pool, {i: v for i, v in item_labels.items() if v.source is LabelSource.LLM}
    )
    written = [(item, labels) for item, labels in written if item.origin is Origin.SYNTHETIC]
    return WritingMaterial(
        parents=[(item, labels) for item, labels in parents if item.origin is not Origin.SYNTHETIC],
        written=written,
        errors=errors,
        turn=len(written) + rejections,
    )


def _train_items(
    pool: Pool, item_labels: Mapping[str, ItemLabel]
) -> list[tuple[Item, tuple[str, ...]]]:
    """The train items among them that are not erased, in the order of the pool, with labels."""
    rows = pool.rows_of(list(item_labels))
    erased = pool.column("erased")
    items = pool.items(sorted(int(row) for row in rows if row >= 0 and not erased[row]))
    return [(item, item_labels[item.id].labels) for item in items if item.split is Split.TRAIN]


def add_to_pool(synthetic: Sequence[tuple[str, SyntheticItem]], pool: Pool) -> Counter[str]:
    """Appends (expander, item) pairs; returns the number of new items by expander."""
    known = pool.rows_of([new.item.id for _, new in synthetic]) >= 0
    for begin in range(0, len(synthetic), CHUNK):
        pool.append(new.item for _, new in synthetic[begin : begin + CHUNK])
    return Counter(name for (name, _), old in zip(synthetic, known, strict=True) if not old)


def to_annotation(
    synthetic: SyntheticItem, expander: str, scheme: Scheme, policy_id: str, now: datetime
) -> Annotation:
    """The labels of a synthetic item as an annotation by its expander."""
    return Annotation(
        key=f"{synthetic.source}:{synthetic.item.id}",
        item_id=synthetic.item.id,
        source=synthetic.source,
        standing=Standing.VOTE,
        labels=synthetic.labels,
        asked=scheme.labels,
        policy_id=policy_id,
        annotator=expander,
        at=now,
        extra=synthetic.extra,
    )
