"""What `classify` is given: a file, a folder, standard input, or a text."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from biasloop.cli.context import warn
from biasloop.errors import DataError
from biasloop.intake.record import COLUMN_ADVICE, Reading, Record

if TYPE_CHECKING:
    from biasloop.intake.columns import KeptColumns
    from biasloop.intake.rows import Reject
    from biasloop.intake.texts import Text

FOREIGN = (".pdf", ".doc", ".docx", ".odt", ".rtf", ".xls", ".html", ".htm", ".xml", ".zip", ".md")
"""Suffixes of files that are not read, by which a file name is told from a text."""


@dataclass
class Input:
    """The texts that the command is given, with their other columns. They can be read once."""

    what: str
    columns: Mapping[str, str]
    encoding: str | None
    kept: "KeptColumns" = field(init=False)

    def __post_init__(self) -> None:
        from biasloop.intake.texts import kept_columns

        self.kept = kept_columns(self.columns)

    @property
    def path(self) -> Path | None:
        """The file or folder; None for standard input or a text."""
        named = self.what != "-" and (os.path.exists(self.what) or is_path(self.what))
        return Path(self.what) if named else None

    def texts(
        self, reject: Callable[["Reject"], None], done: Callable[[int], object] | None = None
    ) -> Iterator["Text"]:
        """Every text; the others go to `reject`. Raises DataError if there is no text."""
        from biasloop.intake.rows import Reject
        from biasloop.intake.texts import read_texts

        read = 0
        for row in read_texts(self._records(done), self.columns, self.kept):
            if isinstance(row, Reject):
                reject(row)
                continue
            read += 1
            yield row
        if not read:
            raise DataError(
                f"there is no text in {self.what} that can be read; rows must have a text"
            )

    def _records(self, done: Callable[[int], object] | None) -> Iterator[Record]:
        from biasloop.intake.files import records, stream_records

        needed = frozenset({self.columns.get("text", "text"), *self.columns.values()})
        reading = Reading(
            needed=needed,
            advice=COLUMN_ADVICE,
            encoding=self.encoding,
            unread=lambda name, reason: warn(f"not read: {name}: {reason}"),
            **({} if done is None else {"progress": done}),
        )
        if self.path is not None:
            yield from records(self.path, reading)
        elif self.what == "-":
            yield from stream_records(sys.stdin.buffer, "standard input", reading)
        else:
            yield 1, self.what, {"id": "text", "text": self.what}


def is_path(what: str) -> bool:
    """Whether an argument that is no existing file was meant to be one: it is one line with the
    suffix of a file, or without white space and in a folder that exists."""
    from biasloop.intake.files import GZIP, TABLES, TEXT

    if "\n" in what or len(what) > 1000:
        return False
    path = Path(what)
    if path.suffix.lower() in (*TABLES, *FOREIGN, TEXT, GZIP) and not path.stem[-1:].isspace():
        return True
    one_word = not any(character.isspace() for character in what)
    return one_word and os.sep in what and path.parent.is_dir()
