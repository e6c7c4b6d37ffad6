"""OPENED -> EXPANDED: synthetic items made from labelled train items join the pool."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.item import Item, Origin
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import ItemLabel, Method, resolve
from biasloop.domain.writing.synthesis import Corpus, Made
from biasloop.ports import Pool
from biasloop.rounds.child import Heartbeat, job_folder, run_job
from biasloop.rounds.steps.expand.handover import (
    REJECTED_FILE,
    SYNTHETIC_FILE,
    ExpandJob,
    corpus_to_table,
    read_rejected,
    read_synthetic,
)

CHUNK = 5_000
"""Items appended at a time."""
REAL = (LabelSource.HUMAN, LabelSource.SEED)


def expand(
    *,
    corpus: Corpus,
    expanders: Mapping[str, Mapping[str, Any]],
    llm: Mapping[str, Any],
    purse: str,
    workspace: Path,
    pool: Pool,
    scheme: Scheme,
    policy_id: str,
    seed: int,
    now: datetime,
    work_folder: Path,
    heartbeat: Heartbeat,
) -> Done:
    """Runs every expander, by name with its options, in a child process.

    `llm` are the settings of the language model, whose spending is charged to `purse`. The child
    reads pool and campaign of `workspace`; what it made joins the pool here, which skips what it
    has already. Raises CampaignError, ConfigError or PoolError.
    """
    job = ExpandJob(
        workspace=workspace,
        expanders=expanders,
        llm=llm,
        purse=purse,
        errors=corpus.errors,
        turn=corpus.turn,
        seed=seed,
    )
    work = job_folder(work_folder, job, corpus=corpus_to_table(corpus))
    result = run_job(work, job, heartbeat)
    heartbeat()  # who was taken over must not write to the pool
    made = [
        (name, one)
        for name in expanders
        for one in read_synthetic(work / f"{name}.{SYNTHETIC_FILE}")
    ]
    added = add_to_pool(made, pool)
    labels = [to_annotation(one, name, scheme, policy_id, now) for name, one in made if one.labels]
    rejected = [r for name in expanders for r in read_rejected(work / f"{name}.{REJECTED_FILE}")]
    facts = {"expanded": {name: added[name] for name in expanders}}
    return Done(facts=facts | result, records=(*labels, *rejected))


def build_corpus(
    pool: Pool,
    annotations: Iterable[Annotation],
    scheme: Scheme,
    method: Method,
    errors: Mapping[str, float],
    rejections: int,
) -> Corpus:
    """What there is to start from. `rejections` is how many texts were refused so far."""
    verdicts = resolve(annotations, scheme, method)
    parents = _train_items(pool, {i: v for i, v in verdicts.items() if v.source in REAL})
    written = _train_items(pool, {i: v for i, v in verdicts.items() if v.source is LabelSource.LLM})
    written = [(item, labels) for item, labels in written if item.origin is Origin.SYNTHETIC]
    return Corpus(
        parents=[(item, labels) for item, labels in parents if item.origin is not Origin.SYNTHETIC],
        written=written,
        errors=errors,
        turn=len(written) + rejections,
    )


def _train_items(
    pool: Pool, verdicts: Mapping[str, ItemLabel]
) -> list[tuple[Item, tuple[str, ...]]]:
    """Those that are train items and still there, in the order of the pool, with their labels."""
    rows = pool.rows_of(list(verdicts))
    erased = pool.column("erased")
    items = pool.items(sorted(int(row) for row in rows if row >= 0 and not erased[row]))
    return [(item, verdicts[item.id].labels) for item in items if item.split is Split.TRAIN]


def add_to_pool(made: Sequence[tuple[str, Made]], pool: Pool) -> Counter[str]:
    """Appends the items; returns how many of each expander are new."""
    known = pool.rows_of([one.item.id for _, one in made]) >= 0
    for begin in range(0, len(made), CHUNK):
        pool.append(one.item for _, one in made[begin : begin + CHUNK])
    return Counter(name for (name, _), old in zip(made, known, strict=True) if not old)


def to_annotation(
    made: Made, expander: str, scheme: Scheme, policy_id: str, now: datetime
) -> Annotation:
    """The label of a synthetic item as a fact."""
    return Annotation(
        key=f"{made.source}:{made.item.id}",
        item_id=made.item.id,
        source=made.source,
        standing=Standing.VOTE,
        labels=made.labels,
        asked=scheme.labels,
        policy_id=policy_id,
        annotator=expander,
        at=now,
        extra=made.extra,
    )
