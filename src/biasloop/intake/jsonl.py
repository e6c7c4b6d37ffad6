"""Reads files with one JSON object per line, in UTF-8. Empty lines are ignored."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from biasloop.errors import DataError

NOT_UTF_8 = "not UTF-8; save the file as UTF-8"


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields (line number, object) for each object of a file. Raises DataError if the file cannot
    be read, or at a line that is not a JSON object."""
    try:
        with path.open("rb") as file:
            yield from parse_lines(file, str(path))
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror}; check path and permissions"
        ) from None


def parse_lines(lines: Iterable[bytes], source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields (line number, object) for each object.

    Raises DataError at a line that is not a JSON object; the message names `source` and the line.
    """
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            if text:
                yield number, parse_object(text)
        except ValueError as error:
            reason = NOT_UTF_8 if isinstance(error, UnicodeDecodeError) else error
            raise DataError(f"{source}, line {number}: {reason}") from None


def parse_object(line: str) -> dict[str, Any]:
    """Parses one line. Raises ValueError if it is not a JSON object."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"broken JSON: {error.msg} at character {error.pos}") from None
    except (ValueError, RecursionError):
        raise ValueError("broken JSON: a number is too long, or nesting too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
