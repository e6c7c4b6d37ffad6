"""The database of the ledger, SQLite or PostgreSQL: engine, transactions, migrations."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection, Dialect

from biasloop.errors import LedgerError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30
_WRITER_LOCK = 0x62696173  # "bias": the advisory lock that all writers share on PostgreSQL


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """Time-zone-aware datetimes in UTC; SQLite stores them without a time zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Converts to UTC. Raises ValueError for a datetime without a time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the ledger takes no naive datetime: give it a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Adds the time zone UTC."""
        if value is None:
            return None
        # PostgreSQL returns the time zone of the session.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PackedFloats(sa.types.TypeDecorator[NDArray[np.float32]]):
    """A compressed float32 array (n,)."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: NDArray[np.float32] | None, dialect: Dialect) -> Any:
        """Compresses the array."""
        return None if value is None else zlib.compress(value.astype("<f4").tobytes())

    def process_result_value(self, value: Any, dialect: Dialect) -> NDArray[np.float32] | None:
        """Restores the array. Raises LedgerError when it is damaged."""
        if value is None:
            return None
        try:
            return np.frombuffer(zlib.decompress(value), "<f4").astype(np.float32)
        except (zlib.error, ValueError) as error:
            raise LedgerError(
                f"an array in the ledger cannot be read ({error}); replace the ledger with a backup"
            ) from None


class Database:
    """The engine of one database; every access goes through `read` or `write`.

    `write` takes the write lock when it begins, so that sequence numbers become visible in their
    order. Its block must do nothing but SQL (R2), since other writers wait. All methods raise
    LedgerError when the database fails.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            address = _read_only(sa.make_url(url))
            self._engine = sa.create_engine(address, pool_pre_ping=not url.startswith("sqlite"))
        except (sa.exc.ArgumentError, ImportError, ValueError):
            # Without the cause, which may contain a part of the password.
            raise LedgerError(
                "ledger_url names no database that biasloop can open; write sqlite:///FILE or "
                "postgresql+psycopg://USER:PASSWORD@HOST/NAME (and %40 for an @ in the password)"
            ) from None
        if self._engine.dialect.name == "sqlite":
            writable = "mode" not in address.query
            sa.event.listen(self._engine, "connect", partial(_sqlite_connect, writable=writable))
            sa.event.listen(self._engine, "begin", _sqlite_begin)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction, which sees one consistent state."""
        postgresql = self._engine.dialect.name == "postgresql"
        options = {"isolation_level": "REPEATABLE READ"} if postgresql else {}
        with (
            self._ledger_errors(),
            self._engine.connect() as connection,
            connection.execution_options(**options).begin(),
        ):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A short write transaction: committed at the end of the block, rolled back on an error."""
        with (
            self._ledger_errors(),
            self._engine.connect() as connection,
            connection.execution_options(biasloop_write=True).begin(),
        ):
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER_LOCK)))
            yield connection

    def migrate(self, version: str = "head") -> None:
        """Upgrades the schema to a version, by default the newest. Repeatable."""
        if version == "head" and self._version() == _newest_version():
            return  # the usual case, which saves the time that Alembic takes to load
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.write() as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, version)
            except CommandError as error:  # the version of the schema is unknown
                raise LedgerError(
                    f"the ledger {self._where} was written by a newer biasloop ({error}); "
                    "update biasloop"
                ) from None

    def _version(self) -> str | None:
        """The current version of the schema; None for an empty database."""
        with self.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            version: str | None = connection.scalar(
                sa.text("SELECT version_num FROM alembic_version")
            )
            return version

    def drop_old_pages(self) -> None:
        """Lets nothing that was overwritten remain in SQLite's log; if others read just now, it
        remains until their next checkpoint."""
        if self._engine.dialect.name == "sqlite":
            with self._ledger_errors(), self._engine.connect() as connection:
                connection.connection.driver_connection.execute(  # type: ignore[union-attr]
                    "PRAGMA wal_checkpoint(TRUNCATE)"
                )

    def close(self) -> None:
        """Closes every connection."""
        self._engine.dispose()

    @property
    def _where(self) -> str:
        url = self._engine.url.difference_update_query(["password"])  # it may stand there, too
        return url.render_as_string(hide_password=True)

    @contextmanager
    def _ledger_errors(self) -> Iterator[None]:
        """Turns errors of the database driver into LedgerError."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            message = f"the ledger {self._where} failed: {error.orig}{_advice(error)}"
            raise LedgerError(message) from error


def _newest_version() -> str:
    """The version of the last migration; file names begin with it, as 0001_…."""
    return max(path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))


def _advice(error: sa.exc.DBAPIError) -> str:
    """What the user can do, to append to the message; "" for an unknown error."""
    text = str(error.orig).lower()
    if "disk" in text and "full" in text:
        return "; free some disk space, nothing was lost"
    if "i/o error" in text:
        return "; check the disk and its free space, nothing was lost"
    if "locked" in text:
        return f"; another process held the write lock for over {BUSY_SECONDS} s: try again"
    if "malformed" in text or "not a database" in text:
        return "; the file is damaged: replace it with a backup"
    if "readonly" in text or "unable to open" in text:
        return "; check that the workspace exists, is writable and has free space"
    if "connection" in text or "resolve host" in text:
        return "; check ledger_url, and whether the server runs"
    return ""


def _read_only(url: sa.URL) -> sa.URL:
    """Opens a SQLite file for reading only where it may not be written."""
    path = Path(url.database or "")
    if url.get_backend_name() != "sqlite" or not path.is_file():
        return url
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return url
    # Without a write-ahead log nobody is writing, and SQLite need not create one.
    closed = not path.with_name(f"{path.name}-wal").exists()
    query = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if closed else {})
    return url.set(database=f"file:{quote(str(path))}", query=query)


def _sqlite_connect(connection: Any, _record: object, *, writable: bool) -> None:
    connection.isolation_level = None  # no implicit BEGIN of the driver, which would come too late
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    if writable:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")  # what was erased is gone from the file
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _sqlite_begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("biasloop_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
