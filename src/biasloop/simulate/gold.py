"""Labelled files, whose labels take the place of people."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.item import text_hash
from biasloop.domain.label import Labels, Scheme
from biasloop.errors import DataError
from biasloop.intake.jsonl import read_objects


@dataclass(frozen=True)
class Texts:
    """n texts and what they are labelled with, (n, k)."""

    texts: tuple[str, ...]
    labels: Labels

    @cached_property
    def hashes(self) -> NDArray[np.str_]:
        """A hash per text, blind to case and spacing; it is also the text's root."""
        return np.array([text_hash(text) for text in self.texts])


@dataclass(frozen=True)
class Gold:
    """What can be asked about, with the answers, and what is only tested on."""

    scheme: Scheme
    pool: Texts
    test: Texts

    @cached_property
    def id(self) -> str:
        """A hash of all of it."""
        digest = blake2b(self.scheme.id.encode(), digest_size=10)
        for part in (self.pool, self.test):
            digest.update(json.dumps(part.texts).encode())
            digest.update(part.labels.tobytes())
        return digest.hexdigest()


def read_gold(pool: Path, test: Path) -> Gold:
    """Two files of JSON lines: {"text", "label"} in a single-label scheme, {"text", "labels": […]}
    in a multi-label one. The labels are those of the pool, sorted.

    Raises DataError naming the file and, where it is a line's fault, the line.
    """
    asked = list(_rows(pool))
    names = sorted({name for row in asked for name in row.labels})
    multi = asked[0].column == "labels"
    if len(names) < (1 if multi else 2):
        found = f"only the label {names[0]!r}" if names else "no label at all"
        raise DataError(f"{pool} has {found}; there is nothing to learn from it")
    tested = list(_rows(test))
    for row in tested:
        if row.column != asked[0].column:
            raise DataError(f"{row.where}: has {row.column!r}, but {pool} has {asked[0].column!r}")
        if unknown := sorted(set(row.labels) - set(names)):
            known = ", ".join(names)
            raise DataError(f"{row.where}: no row of {pool} has the label {unknown[0]!r}; {known}")
    scheme = Scheme(tuple(names), multi)
    return Gold(scheme, _texts(asked, scheme), _texts(tested, scheme))


@dataclass(frozen=True, slots=True)
class _Row:
    where: str
    text: str
    labels: tuple[str, ...]
    column: str


def _texts(rows: list[_Row], scheme: Scheme) -> Texts:
    return Texts(tuple(row.text for row in rows), scheme.encode([row.labels for row in rows]))


def _rows(path: Path) -> Iterator[_Row]:
    """The rows of a file, at least one, all with the same column of labels. Raises DataError."""
    column = ""
    for number, record in read_objects(path):
        row = _row(record, f"{path}, line {number}", column)
        column = row.column
        yield row
    if not column:
        raise DataError(f'{path} is empty; want lines {{"text", "label"}} or {{"text", "labels"}}')


def _row(record: Mapping[str, Any], where: str, column: str) -> _Row:
    column = column or ("labels" if "labels" in record else "label")
    if missing := [name for name in ("text", column) if name not in record]:
        has = ", ".join(map(str, record)) or "none"
        raise DataError(f"{where}: no column {missing[0]!r}; it has: {has}")
    text, given = record["text"], record[column]
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where}: text is not a text, or empty")
    chosen = given if column == "labels" else [given]
    if not isinstance(chosen, list) or not all(_is_name(name) for name in chosen):
        want = "a list of names" if column == "labels" else "a name"
        raise DataError(f"{where}: {column} is not {want}: {json.dumps(given)[:60]}")
    return _Row(where, text, tuple(str(name).strip() for name in chosen), column)


def _is_name(value: Any) -> bool:
    """A label's name; 0 and 1 are names too."""
    return isinstance(value, int) or (isinstance(value, str) and bool(value.strip()))
