"""What the readers of all formats have in common."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biasloop.errors import DataError
from biasloop.intake.decoding import undecodable

MAX_LINE = 2_000_000
"""Maximum number of characters of a line, of a JSON object and of a text file."""
BATCH_ROWS = 500
"""Number of rows that are read from a table at a time, and between two reports of progress."""

ITEMS_TABLE = frozenset({"item_id", "origin", "label_source"})
"""A table with these columns is the table of items of an export."""
VOTES_TABLE = frozenset({"annotation", "item_id", "standing"})
"""A table with these columns is the table of votes of an export."""
ADS_TABLE = frozenset({"ad_id", "title", "text", "language", "source"})
"""A table with these columns is the table of ads of an export."""


COLUMN_ADVICE = ". Map its columns to fields, e.g. --column text=NAME"
"""The advice where columns can be mapped."""


class BadRow(Exception):
    """The reason why a row is rejected. It never reaches the caller of an import."""


class AdFile(dict[str, Any]):
    """The values of a text file. `former_id` is the id that the first versions of biasloop gave it,
    `spare_id` the one that it gets if another ad has its id."""

    former_id: str = ""
    spare_id: str = ""


class Untyped(dict[str, Any]):
    """The values of a row of CSV, all of them text: whether one is meant as a number is a guess."""


Record = tuple[int, str, Mapping[str, Any] | BadRow]
"""The number of a line or row, its text for an excerpt, and its values by column, or the reason why
it is rejected."""


def _ignore(*_: object) -> None:
    """Does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files are read.

    `needed` are the columns that a table must have, `advice` ends the message if one is missing.
    `encoding` is that of text, None to recognise UTF-8 and UTF-16. `progress` is called now and
    then with the number of bytes read so far, `unread` with the name and the reason of each part
    of the input that is not read.
    """

    needed: frozenset[str] = frozenset()
    advice: str = ""
    encoding: str | None = None
    progress: Callable[[int], object] = _ignore
    unread: Callable[[str, str], object] = _ignore

    def check_columns(self, path: Path, columns: Iterable[str]) -> None:
        """Raises DataError if a table lacks a column, or is an export's table of votes. Of columns
        with the same name only the last is read; the others are named as not read."""
        names = list(columns)
        if set(names) >= VOTES_TABLE:
            raise DataError(f"{path} is the table of votes of an export, which is not read back")
        if missing := self.needed - set(names):
            found = ", ".join(names)
            if reason := undecodable(found, self.encoding):
                raise DataError(f"{path}: the names of the columns are {reason}")
            raise DataError(
                f"{path} has no column {', '.join(sorted(missing))}; it has: {found[:500]}"
                f"{self.advice}"
            )
        if repeated := [name for name, count in Counter(names).items() if name and count > 1]:
            listed = ", ".join(map(repr, repeated[:5])) + (", …" if repeated[5:] else "")
            self.unread(path.name, f"of columns with the same name all but the last: {listed}")
