"""OPENED -> EXPANDED: synthetic items made from labelled train items join the pool."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.consensus import Method, resolve
from biasloop.domain.item import Item, Origin
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.ports import Expander, Made, Pool

CHUNK = 5_000
"""Items appended at a time."""

Parent = tuple[Item, tuple[str, ...]]


def expand(
    *,
    expanders: Mapping[str, Expander],
    pool: Pool,
    annotations: Iterable[Annotation],
    scheme: Scheme,
    method: Method,
    policy_id: str,
    seed: int,
    now: datetime,
) -> Done:
    """Runs every expander over the labelled train items. The pool skips what it has already."""
    parents = list(train_parents(pool, annotations, scheme, method))
    labels: list[Annotation] = []
    added: dict[str, int] = {}
    for name, expander in expanders.items():
        made = list(expander.expand(parents, seed))
        added[name] = _append(pool, made)
        labels += [_annotation(m, name, scheme, policy_id, now) for m in made if m.labels]
    return Done(facts={"expanded": added}, records=tuple(labels))


def train_parents(
    pool: Pool, annotations: Iterable[Annotation], scheme: Scheme, method: Method
) -> Iterator[Parent]:
    """Train items with a label of people or of a seed, in the order of the pool."""
    verdicts = resolve(annotations, scheme, method)
    ids = [i for i, v in verdicts.items() if v.source in (LabelSource.HUMAN, LabelSource.SEED)]
    rows = pool.rows_of(ids)
    erased = pool.column("erased")
    for item in pool.items(sorted(int(row) for row in rows if row >= 0 and not erased[row])):
        if item.split is Split.TRAIN and item.origin is not Origin.SYNTHETIC:
            yield item, verdicts[item.id].labels


def _append(pool: Pool, made: list[Made]) -> int:
    added = 0
    for begin in range(0, len(made), CHUNK):
        added += pool.append(m.item for m in made[begin : begin + CHUNK])[0]
    return added


def _annotation(
    made: Made, expander: str, scheme: Scheme, policy_id: str, now: datetime
) -> Annotation:
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
    )
