"""Verdicts as JSON lines, or as a table with a row for each text or each sentence."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from biasloop.domain.columns import as_kind, column_kinds
from biasloop.plugins.exporters.tables import schema_of
from biasloop.plugins.registry import Kind, create
from biasloop.ports import Exporter
from biasloop.reports.classify import Verdict, flat_verdict
from biasloop.reports.export.columns import kept_names
from biasloop.reports.export.rows import in_batches
from biasloop.reports.json_values import to_json

JSON = "json"
FORMATS = {JSON: (".jsonl", ".ndjson"), "csv": (".csv",), "parquet": (".parquet",)}
"""By format the suffixes of its files."""

_HALF = re.compile(r"[\ud800-\udfff]")


def format_of(path: Path) -> str | None:
    """The format that the name of a file says; None if it says none."""
    suffix = path.suffix.lower()
    return next((name for name, suffixes in FORMATS.items() if suffix in suffixes), None)


def write_verdicts(
    verdicts: Callable[[], Iterable[Verdict]],
    labels: Sequence[str],
    format: str,
    folder: Path,
    by_sentence: bool,
) -> Path:
    """Writes verdicts into a new file in the folder; returns its path. `verdicts` gives all of them
    each time it is called."""
    if format == JSON:
        path = folder / "verdicts.lines"
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{to_json(verdict)}\n" for verdict in verdicts())
        return path
    kinds = column_kinds(verdict.get("columns", {}) for verdict in verdicts())
    own = _own_columns(labels, by_sentence)
    names = kept_names(kinds, own)
    types = own | {names[column]: kind for column, kind in kinds.items()}
    empty = dict.fromkeys(types)
    rows = (
        empty | _storable(row) | _kept(verdict, kinds, names)
        for verdict in verdicts()
        for row in (_sentence_rows(verdict) if by_sentence else [_text_row(verdict)])
    )
    exporter: Exporter = create(Kind.EXPORTER, format)
    batches = in_batches("verdicts", "id", rows, schema_of(types))
    return exporter.write("verdicts", types, batches, folder)


def _own_columns(labels: Sequence[str], by_sentence: bool) -> dict[str, type]:
    """The columns of every table; the first ones are those of `flat_verdict`."""
    place = {"start": int, "end": int, "sentence": str, "evidence": list} if by_sentence else {}
    return {
        "id": str,
        "flagged": list,
        **{f"p_{label}": float for label in labels},
        **{f"threshold_{label}": float for label in labels},
        **place,
        "title": str,
    }


def _text_row(verdict: Verdict) -> dict[str, Any]:
    thresholds = {f"threshold_{name}": value for name, value in verdict["thresholds"].items()}
    row = flat_verdict(verdict) | thresholds
    return row | {"id": str(verdict["id"]), "title": verdict.get("title")}


def _sentence_rows(verdict: Verdict) -> Iterator[dict[str, Any]]:
    whole = _text_row(verdict)
    for sentence in verdict["sentences"]:
        yield whole | {
            "flagged": sentence["flagged"],
            **{f"p_{label}": value for label, value in sentence["labels"].items()},
            "start": sentence["start"],
            "end": sentence["end"],
            "sentence": sentence["text"],
            "evidence": [words["text"] for words in sentence["evidence"]],
        }


def _kept(verdict: Verdict, kinds: Mapping[str, type], names: Mapping[str, str]) -> dict[str, Any]:
    columns = verdict.get("columns", {})
    return {names[name]: as_kind(cell, kinds[name]) for name, cell in columns.items()}


def _storable(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with U+FFFD for half a surrogate pair, which only JSON can hold."""
    return {name: _whole(value) for name, value in row.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value
