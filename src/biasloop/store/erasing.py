"""What a takedown erases from the ledger: every text that descends from an ad."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from biasloop.domain.annotation import marks_without_words
from biasloop.store.schema import annotations, rejections, tombstones, trials

CHUNK = 500
"""Parameters of a statement: databases limit their number."""


def erase_texts(connection: Connection, ad_id: str, item_ids: Sequence[str]) -> None:
    """Blanks refused texts and scenarios of trials that descend from an ad, and what people marked,
    wrote and quoted when they labelled its items. Repeatable."""
    _blank_rejections(connection, ad_id)
    _blank_trials(connection, ad_id)
    for chunk in chunks_of_keys(item_ids):
        rows = connection.execute(
            sa.select(annotations.c.seq, annotations.c.extra).where(
                annotations.c.item_id.in_(chunk)
            )
        ).all()
        for row in rows:
            if row.extra != (extra := marks_without_words(row.extra)):
                connection.execute(
                    sa.update(annotations).where(annotations.c.seq == row.seq).values(extra=extra)
                )


def erased_among(connection: Connection, item_ids: Iterable[str]) -> set[str]:
    """Those of the items that were taken down."""
    erased: set[str] = set()
    for chunk in chunks_of_keys(item_ids):
        query = sa.select(tombstones.c.item_id).where(tombstones.c.item_id.in_(chunk))
        erased |= set(connection.execute(query).scalars())
    return erased


def chunks_of_keys(keys: Iterable[str]) -> Iterator[list[str]]:
    """The distinct keys, sorted, at most CHUNK at a time."""
    ordered = sorted(set(keys))
    return (ordered[i : i + CHUNK] for i in range(0, len(ordered), CHUNK))


def _blank_rejections(connection: Connection, ad_id: str) -> None:
    refused = connection.execute(sa.select(rejections.c.seq, rejections.c.roots)).all()
    for chunk in chunks_of_keys(row.seq for row in refused if ad_id in row.roots):
        connection.execute(
            sa.update(rejections).where(rejections.c.seq.in_(chunk)).values(text="", detail="")
        )


def _blank_trials(connection: Connection, ad_id: str) -> None:
    """Also the reasons that a language model gave, which may quote the texts."""
    for row in connection.execute(sa.select(trials.c.seq, trials.c.cases)).all():
        if any(ad_id in case["scenario"]["roots"] for case in row.cases):
            cases = [_without_texts_of_ad(case, ad_id) for case in row.cases]
            connection.execute(sa.update(trials).where(trials.c.seq == row.seq).values(cases=cases))


def _without_texts_of_ad(case: Mapping[str, Any], ad_id: str) -> dict[str, Any]:
    scenario = case["scenario"]
    if ad_id not in scenario["roots"]:
        return dict(case)
    judgements = {
        side: case[side] | {"reason": ""} if isinstance(case[side], dict) else case[side]
        for side in ("before", "after")
    }
    return dict(case) | judgements | {"scenario": scenario | {"text": ""}}
