"""Checks a campaign's seed files: what `biasloop validate` finds."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biasloop.domain.item import text_hash
from biasloop.domain.label import Scheme
from biasloop.intake.jsonl import read_objects

FORMS = ("masculine", "feminine", "paired", "neutral")
KEYS = {
    "id", "root", "text", "labels", "spans", "rewrite", "sector", "register",
    "hard_negative", "form", "versions",
}  # fmt: skip


@dataclass(slots=True)
class Findings:
    """`problems` are to be fixed; the counts are for people."""

    problems: list[str] = field(default_factory=list)
    rows: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    hard_negatives: int = 0
    quadruples: int = 0
    sectors: Counter[str] = field(default_factory=Counter)
    registers: Counter[str] = field(default_factory=Counter)


def seed_rows(paths: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of every line of these JSONL files. Raises DataError for a line that is not a
    JSON object, and for a file that cannot be read."""
    for path in paths:
        for number, row in read_objects(path):
            yield f"{path.name}, line {number}", row


def validate(rows: Iterable[tuple[str, Mapping[str, Any]]], scheme: Scheme) -> Findings:
    """Labels known, spans inside the text and on word borders, no text twice, no root that would
    stand on both sides of a split, every version a change of its row."""
    found = Findings()
    ids: set[str] = set()
    texts: dict[str, str] = {}
    for place, row in rows:
        found.rows += 1
        found.problems += [f"{place}: {problem}" for problem in _row(row, scheme)]
        if row.get("id") in ids:
            found.problems.append(f"{place}: the id {row['id']!r} was there before")
        ids.add(str(row.get("id")))
        for text in _texts(row):
            before = texts.setdefault(text_hash(text), place)
            if before != place:
                found.problems.append(f"{place}: the same text is in {before}: {text[:60]!r}")
        found.labels.update(row.get("labels") or ())
        found.hard_negatives += bool(row.get("hard_negative"))
        found.quadruples += _forms(row) == set(FORMS)
        found.sectors[str(row.get("sector"))] += 1
        found.registers[str(row.get("register"))] += 1
    return found


def _row(row: Mapping[str, Any], scheme: Scheme) -> Iterator[str]:
    if unknown := set(row) - KEYS:
        yield f"unknown keys {sorted(unknown)}"
    if not row.get("id") or not row.get("root"):
        yield "needs an id and a root"
    yield from _sentence(row, scheme)
    biased = row.get("labels") != [scheme.none_label]
    if biased and not row.get("rewrite"):
        yield "a biased sentence needs a neutral rewrite"
    if row.get("hard_negative") and biased:
        yield "a hard negative has no label"
    for version in row.get("versions") or ():
        if version.get("form") not in FORMS:
            yield f"form {version.get('form')!r} is none of {', '.join(FORMS)}"
        yield from _sentence(version, scheme)


def _sentence(row: Mapping[str, Any], scheme: Scheme) -> Iterator[str]:
    text, labels = row.get("text"), row.get("labels")
    if not isinstance(text, str) or not text.strip():
        yield "needs a text"
        return
    if not isinstance(labels, list) or scheme.reason_to_set_aside(labels):
        reason = scheme.reason_to_set_aside(labels or ())
        yield f"labels {labels!r}: {reason}; known: {', '.join(scheme.choices)}"
        return
    for span in row.get("spans") or ():
        start, end, label = span.get("start", -1), span.get("end", -1), span.get("label")
        if label not in labels:
            yield f"a span has the label {label!r}, the sentence has not"
        if not 0 <= start < end <= len(text):
            yield f"span {start}–{end} is not inside the text"
        elif any(0 < at < len(text) and text[at - 1 : at + 1].isalnum() for at in (start, end)):
            yield f"span {text[start:end]!r} cuts a word"


def _texts(row: Mapping[str, Any]) -> list[str]:
    versions = row.get("versions") or ()
    return [str(part.get("text")) for part in (row, *versions)]


def _forms(row: Mapping[str, Any]) -> set[str]:
    return {str(part.get("form")) for part in (row, *(row.get("versions") or ()))}
