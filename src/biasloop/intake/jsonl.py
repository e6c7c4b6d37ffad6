"""Files with one JSON object a line, in UTF-8; empty lines do not count."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from biasloop.errors import DataError

NOT_UTF_8 = "not UTF-8; save the file as UTF-8"


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with the numbers of their lines. Raises DataError."""
    try:
        with path.open("rb") as file:
            yield from parse_lines(file, str(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check path and rights") from None


def parse_lines(lines: Iterable[bytes], source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects with the numbers of their lines. Raises DataError with source, line number and
    what is wrong."""
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            if text:
                yield number, parse_object(text)
        except ValueError as error:
            reason = NOT_UTF_8 if isinstance(error, UnicodeDecodeError) else error
            raise DataError(f"{source}, line {number}: {reason}") from None


def parse_object(line: str) -> dict[str, Any]:
    """The object of one line. Raises ValueError with what is wrong."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"broken JSON: {error.msg} at character {error.pos}") from None
    except (ValueError, RecursionError):
        raise ValueError("broken JSON: a number too long, or nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
