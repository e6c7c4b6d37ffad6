"""Checks the seed files of a campaign, for `biasloop validate`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biasloop.domain.item import text_hash
from biasloop.domain.label import Scheme
from biasloop.intake.objects import read_objects

FORMS = ("masculine", "feminine", "paired", "neutral")
KEYS = {
    "id", "root", "text", "labels", "spans", "rewrite", "sector", "register",
    "hard_negative", "form", "versions",
}  # fmt: skip


@dataclass(slots=True)
class Findings:
    """The result of a check: problems that must be fixed, and counts for the report."""

    problems: list[str] = field(default_factory=list)
    rows: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    hard_negatives: int = 0
    quadruples: int = 0
    sectors: Counter[str] = field(default_factory=Counter)
    registers: Counter[str] = field(default_factory=Counter)


def seed_rows(paths: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (place, row) for every row of these files, the place as "FILE, line N". Raises
    DataError for a row or a file that cannot be read."""
    for path in paths:
        for number, row in read_objects(path):
            yield f"{path.name}, line {number}", row


def validate(rows: Iterable[tuple[str, Mapping[str, Any]]], scheme: Scheme) -> Findings:
    """Checks (place, row) pairs: every row has an id, a root, a text and labels of the scheme,
    spans are inside the text and cut no word, and no id or text occurs twice."""
    findings = Findings()
    ids: set[str] = set()
    first_places: dict[str, str] = {}
    for place, row in rows:
        findings.rows += 1
        findings.problems += [f"{place}: {problem}" for problem in _row_problems(row, scheme)]
        if row.get("id"):
            if str(row["id"]) in ids:
                findings.problems.append(f"{place}: an earlier row has the same id {row['id']!r}")
            ids.add(str(row["id"]))
        for text in _texts(row):
            first_place = first_places.setdefault(text_hash(text), place)
            if first_place != place:
                findings.problems.append(
                    f"{place}: the same text is in {first_place}: {text[:60]!r}"
                )
        findings.labels.update(row.get("labels") or ())
        findings.hard_negatives += bool(row.get("hard_negative"))
        findings.quadruples += _forms(row) == set(FORMS)
        findings.sectors[str(row.get("sector"))] += 1
        findings.registers[str(row.get("register"))] += 1
    return findings


def _row_problems(row: Mapping[str, Any], scheme: Scheme) -> Iterator[str]:
    if unknown := set(row) - KEYS:
        yield f"unknown keys {sorted(unknown)}"
    if not row.get("id") or not row.get("root"):
        yield "needs an id and a root"
    yield from _sentence_problems(row, scheme)
    biased = row.get("labels") != [scheme.none_label]
    if biased and not row.get("rewrite"):
        yield "a biased sentence needs a neutral rewrite"
    if row.get("hard_negative") and biased:
        yield "a hard negative must not have a bias label"
    for version in row.get("versions") or ():
        if version.get("form") not in FORMS:
            yield f"form {version.get('form')!r} is not one of {', '.join(FORMS)}"
        yield from _sentence_problems(version, scheme)


def _sentence_problems(row: Mapping[str, Any], scheme: Scheme) -> Iterator[str]:
    text, labels = row.get("text"), row.get("labels")
    if not isinstance(text, str) or not text.strip():
        yield "needs a text"
        return
    if not isinstance(labels, list) or scheme.reason_to_set_aside(labels):
        reason = scheme.reason_to_set_aside(labels or ())
        yield f"labels {labels!r}: {reason}; the labels are {', '.join(scheme.choices)}"
        return
    for span in row.get("spans") or ():
        start, end, label = span.get("start", -1), span.get("end", -1), span.get("label")
        if label not in labels:
            yield f"a span has the label {label!r}, which the sentence does not have"
        if not 0 <= start < end <= len(text):
            yield f"span {start}–{end} is not inside the text"
        elif any(0 < at < len(text) and text[at - 1 : at + 1].isalnum() for at in (start, end)):
            yield f"span {text[start:end]!r} cuts a word"


def _texts(row: Mapping[str, Any]) -> list[str]:
    versions = row.get("versions") or ()
    return [str(part.get("text")) for part in (row, *versions)]


def _forms(row: Mapping[str, Any]) -> set[str]:
    return {str(part.get("form")) for part in (row, *(row.get("versions") or ()))}
