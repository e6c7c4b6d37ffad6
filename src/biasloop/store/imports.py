"""What each import added to the pool, in the ledger, so that it can be taken back."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from biasloop.errors import LedgerError
from biasloop.store.database import Database
from biasloop.store.records import unique_match
from biasloop.store.schema import bookmarks

_NAME = "import:"
"""How the name of a bookmark that holds an import begins; the id of the import follows."""


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """What an import added. `at` is also the time of its annotations, and of no others.

    `rows` are the rows of the pool that it filled, as pairs (first, one after the last). Before
    rows are filled, the ids of the items and ads that are about to fill them are in `adding_items`
    and `adding_ads`; they stay there if the import is killed. `undone_at` says when it was
    taken back.
    """

    id: str
    at: datetime
    file: str
    rows: tuple[tuple[int, int], ...] = ()
    adding_items: tuple[str, ...] = ()
    adding_ads: tuple[str, ...] = ()
    undone_at: datetime | None = None


class Imports:
    """The imports of a workspace that were recorded; earlier versions of biasloop recorded none."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def save(self, record: ImportRecord) -> None:
        """Writes the record of an import; one with the same id is replaced."""
        undone_at = record.undone_at.isoformat() if record.undone_at else None
        value = asdict(record) | {"at": record.at.isoformat(), "undone_at": undone_at}
        name = f"{_NAME}{record.id}"
        with self._db.write() as connection:
            connection.execute(sa.delete(bookmarks).where(bookmarks.c.name == name))
            connection.execute(sa.insert(bookmarks).values(name=name, value=value))

    def forget(self, import_id: str) -> None:
        """Deletes the record of an import that added nothing."""
        with self._db.write() as connection:
            name = f"{_NAME}{import_id}"
            connection.execute(sa.delete(bookmarks).where(bookmarks.c.name == name))

    def all(self) -> list[ImportRecord]:
        """Every import, oldest first."""
        query = sa.select(bookmarks.c.value).where(bookmarks.c.name.startswith(_NAME))
        with self._db.read() as connection:
            records = [_record(value) for value in connection.execute(query).scalars()]
        return sorted(records, key=lambda record: record.at)

    def find(self, prefix: str | None) -> ImportRecord:
        """The only import whose id begins with the prefix; without one the last import, whether or
        not it was taken back. Raises LedgerError if there is none."""
        records = {record.id: record for record in reversed(self.all())}
        if not records:
            raise LedgerError(
                "this workspace has no import that can be taken back (earlier versions of biasloop "
                "did not record what an import added); `biasloop takedown` erases a single ad"
            )
        if prefix is None:
            return next(iter(records.values()))
        return records[unique_match(list(records), prefix, "import", "imports")]


def _record(value: dict[str, Any]) -> ImportRecord:
    undone_at = value["undone_at"]
    return ImportRecord(
        id=value["id"],
        at=datetime.fromisoformat(value["at"]),
        file=value["file"],
        rows=tuple((first, stop) for first, stop in value["rows"]),
        adding_items=tuple(value["adding_items"]),
        adding_ads=tuple(value["adding_ads"]),
        undone_at=datetime.fromisoformat(undone_at) if undone_at else None,
    )
