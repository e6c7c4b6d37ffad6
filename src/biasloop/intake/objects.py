"""Reads the rows of seed files, with the reader of imports and as their authors wrote them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from biasloop.errors import DataError
from biasloop.intake.decoding import NAME_ENCODING
from biasloop.intake.files import records
from biasloop.intake.record import BadRow, Reading


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields (line number, values by column) for each row of a file. Raises DataError if the file
    or one of its rows cannot be read."""
    for number, _, record in records(path, Reading()):
        if isinstance(record, BadRow):
            # Commands that read seeds have no option for the encoding.
            raise DataError(f"{path}, line {number}: {str(record).removesuffix(NAME_ENCODING)}")
        yield number, dict(record)
