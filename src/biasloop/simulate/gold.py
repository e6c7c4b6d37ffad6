"""Reads labelled files, whose labels take the place of annotators."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.item import text_hash
from biasloop.domain.label import Labels, Scheme
from biasloop.errors import DataError
from biasloop.intake.files import records
from biasloop.intake.markup import without_markup
from biasloop.intake.record import BadRow, Reading
from biasloop.intake.values import as_text, is_missing, label_names, whole_number

CHUNK_TEXTS = 10_000
"""The number of texts of the pool that are compared with the test at a time."""


@dataclass(frozen=True)
class Texts:
    """n texts and their labels, (n, k)."""

    texts: tuple[str, ...]
    labels: Labels

    @cached_property
    def hashes(self) -> NDArray[np.str_]:
        """A hash per text, the same whatever the case and spacing; also used as its root, (n,)."""
        return np.array([text_hash(text) for text in self.texts])


@dataclass(frozen=True)
class Gold:
    """A labelled data set: the pool to choose from, and texts that models are only tested on."""

    scheme: Scheme
    pool: Texts
    test: Texts

    @cached_property
    def id(self) -> str:
        """A hash of scheme, texts and labels."""
        digest = blake2b(self.scheme.id.encode(), digest_size=10)
        for part in (self.pool, self.test):
            digest.update(json.dumps(part.texts).encode())
            digest.update(part.labels.tobytes())
        return digest.hexdigest()


def read_gold(pool: Path, test: Path, encoding: str | None = None) -> Gold:
    """Reads two files of a kind that `biasloop.intake.files` reads. Rows are {"text", "label"} in a
    single-label scheme, {"text", "labels": […]} in a multi-label one. HTML is taken out of texts,
    as at import. The labels of the scheme are those in the pool, sorted.

    Raises DataError that names the file and, if one line is wrong, the line.
    """
    pool_rows = list(_read_rows(pool, encoding))
    names = sorted({name for row in pool_rows for name in row.labels})
    multi = pool_rows[0].column == "labels"
    if len(names) < (1 if multi else 2):
        labels_in_pool = f"only the label {names[0]!r}" if names else "no label at all"
        raise DataError(f"{pool} has {labels_in_pool}; there is nothing to learn from it")
    test_rows = list(_read_rows(test, encoding))
    for row in test_rows:
        if row.column != pool_rows[0].column:
            raise DataError(
                f"{row.where}: has {row.column!r}, but {pool} has {pool_rows[0].column!r}"
            )
        if unknown := sorted(set(row.labels) - set(names)):
            known = ", ".join(names)
            raise DataError(f"{row.where}: no row of {pool} has the label {unknown[0]!r}; {known}")
    scheme = Scheme(tuple(names), multi)
    return Gold(scheme, _to_texts(pool_rows, scheme), _to_texts(test_rows, scheme))


def leave_out_known(gold: Gold) -> tuple[Gold, int]:
    """The data set without the test texts that the pool has too, whatever their labels, and how
    many these are: a model that learned from them would be tested on what it knows.

    Raises DataError when no test text would remain.
    """
    unseen = ~np.isin(gold.test.hashes, gold.pool.hashes)
    if not unseen.any():
        raise DataError("every test text is in the pool too; give other texts for the test")
    texts = tuple(np.array(gold.test.texts, dtype=object)[unseen])
    test = Texts(texts, gold.test.labels[unseen])
    return replace(gold, test=test), int((~unseen).sum())


def count_nearly_known(gold: Gold) -> int:
    """The number of test texts that nearly are texts of the pool: of the words of both, they share
    four fifths or more. A model may know them by heart."""
    from biasloop.rounds.steps.expand.near_duplicates import NearDuplicates

    index = NearDuplicates()
    index.add(gold.test.texts)
    nearly: set[int] = set()
    for start in range(0, len(gold.pool.texts), CHUNK_TEXTS):
        chunk = gold.pool.texts[start : start + CHUNK_TEXTS]
        nearly |= {number for _, number in index.similar_pairs(chunk)}
    return len(nearly)


@dataclass(frozen=True, slots=True)
class _Row:
    where: str
    text: str
    labels: tuple[str, ...]
    column: str


def _to_texts(rows: list[_Row], scheme: Scheme) -> Texts:
    return Texts(tuple(row.text for row in rows), scheme.encode([row.labels for row in rows]))


def _read_rows(path: Path, encoding: str | None) -> Iterator[_Row]:
    """The rows of a file, at least one, all with the same column of labels. Raises DataError."""
    column = ""
    for number, _, record in records(path, Reading(encoding=encoding)):
        try:
            if isinstance(record, BadRow):
                raise record
            row = _parse_row(record, f"{path}, line {number}", column)
        except BadRow as reason:
            raise DataError(f"{path}, line {number}: {reason}") from None
        column = row.column
        yield row
    if not column:
        raise DataError(
            f'{path} is empty; each row must be {{"text", "label"}} or {{"text", "labels"}}'
        )


def _parse_row(record: Mapping[str, Any], where: str, column: str) -> _Row:
    """Raises BadRow."""
    column = column or ("labels" if "labels" in record else "label")
    if missing := [name for name in ("text", column) if name not in record]:
        columns = ", ".join(map(str, record)) or "none"
        raise BadRow(f"no column {missing[0]!r}; it has: {columns}")
    text, value = record["text"], record[column]
    if is_missing(text) or not as_text(text, "text").strip():
        raise BadRow("the text is empty or not a string")
    shown = without_markup(as_text(text, "text")).text
    if not shown:
        raise BadRow("the text contains nothing but HTML")
    names = label_names({column: value})
    if names is None or (column == "label" and (isinstance(value, list) or len(names) != 1)):
        expected = "a list of names" if column == "labels" else "a name"
        raise BadRow(f"{column} is not {expected}: {json.dumps(value, default=str)[:60]}")
    return _Row(where, shown, tuple(map(whole_number, names)), column)
