"""Records of JSON: one object per line, an array of objects, or objects one after another."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TextIO

from biasloop.intake.record import MAX_LINE, BadRow, Record

_CHUNK = 2**16
_TOKEN = re.compile(r'\\.|["{}\[\],]', re.DOTALL)
_ID = re.compile(r'"(?:ad_)?id"\s*:\s*("(?:[^"\\]|\\.){1,200}"|-?[\d.]{1,30})')


def json_records(text: TextIO, *, pretty: bool) -> Iterator[Record]:
    """The objects, numbered by line; the elements of an array, or objects that are `pretty`
    (written over several lines), are numbered from 1."""
    blank = 0
    while (first := _line(text)) and not first.strip():
        blank += 1
    if first.lstrip().startswith("[") or (pretty and not _is_object(first)):
        chunks = chain([first], iter(lambda: text.read(_CHUNK), ""))
        for number, value in enumerate(split_values(chunks), start=1):
            yield number, value, _parse(value)
        return
    for number, line in enumerate(chain([first], lines(text, first)), start=blank + 1):
        if line.strip():
            yield number, line, _parse(line.strip())


def lines(text: TextIO, before: str = "") -> Iterator[str]:
    """Lines with their line ends; of a line that is too long, MAX_LINE + 2 characters are kept.
    `before` is the line that was read last, whose end may still be in `text`."""
    line = before
    while True:
        while len(line) == MAX_LINE + 2 and not line.endswith(("\n", "\r")):
            line = _line(text)
        line = _line(text)
        if not line:
            return
        yield line


def split_values(chunks: Iterable[str]) -> Iterator[str]:
    """The text of each element of an array, or of objects one after another; of one that is too
    long, MAX_LINE + 2 characters are kept. What is left open at the end is an element too."""
    kept: list[str] = []
    size = depth = floor = 0
    in_string = started = False
    for chunk in _whole_escapes(chunks):
        start = 0
        for token in _TOKEN.finditer(chunk):
            mark = token[0]
            if mark == '"':
                in_string = not in_string
            if in_string or mark[0] in '"\\':
                continue
            depth += (mark in "{[") - (mark in "}]")
            if not started:
                started, floor = True, int(mark == "[")
                start = token.end() if floor else start
            if (floor and mark == "," and depth == 1) or (mark in "}]" and depth <= 0):
                kept.append(chunk[start : token.start() if floor else token.end()])
                start = token.end()
                if value := "".join(kept).strip():
                    yield value
                kept, size = [], 0
        kept.append(chunk[start:][: MAX_LINE + 2 - size])
        size += len(kept[-1])
    if value := "".join(kept).strip():
        yield value


def _whole_escapes(chunks: Iterable[str]) -> Iterator[str]:
    """The chunks; none ends between a backslash and the character after it."""
    held = ""
    for chunk in chunks:
        whole = held + chunk
        rest = whole.rstrip("\\")
        held = whole[len(rest) :]
        yield rest
    yield held


def _line(text: TextIO) -> str:
    return text.readline(MAX_LINE + 2)


def _is_object(line: str) -> bool:
    return not isinstance(_parse(line.strip()), BadRow)


def _parse(value: str) -> Mapping[str, Any] | BadRow:
    if len(value) > MAX_LINE:
        ad = _ID.search(value)
        named = f" (id {ad[1]})" if ad else ""
        return BadRow(f"the line{named} has more than {MAX_LINE} characters")
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError as error:
        return BadRow(f"broken JSON: {error.msg} at character {error.pos}")
    except (ValueError, RecursionError):
        return BadRow("broken JSON: a number is too long, or nesting too deep")
    return parsed if isinstance(parsed, dict) else BadRow("not a JSON object")
