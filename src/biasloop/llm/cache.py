"""The requests to language models, their answers and their cost, in one SQLite file.

An answer is on disk before it is used, so a killed expansion resumes without paying twice. A
request is charged at its highest possible cost before it is sent, and at its actual cost once it
is answered, so that neither a kill nor a lost connection can exceed a budget.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from biasloop.domain.writing.prompt import Budget, Spending
from biasloop.errors import WorkspaceError

BUSY_SECONDS = 30
SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    purse TEXT NOT NULL,
    at TEXT NOT NULL,
    roots TEXT NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    cost REAL NOT NULL,
    answer TEXT
);
CREATE INDEX IF NOT EXISTS requests_key ON requests (key) WHERE answer IS NOT NULL;
CREATE INDEX IF NOT EXISTS requests_purse ON requests (purse);
"""


def request_key(
    model: str, parameters: Mapping[str, Any], messages: Sequence[Mapping[str, str]], sample: int
) -> str:
    """A hash of 32 hex digits of everything that an answer depends on."""
    content = json.dumps([model, parameters, messages, sample], sort_keys=True)
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class AnswerCache:
    """Can be used by many threads and processes. Raises WorkspaceError when the file is damaged or
    cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.executescript(SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def answer(self, key: str) -> str | None:
        """The raw answer to this request, or None."""
        query = "SELECT answer FROM requests WHERE key = ? AND answer IS NOT NULL LIMIT 1"
        with self._transaction() as db:
            row = db.execute(query, (key,)).fetchone()
        return row[0] if row else None

    def begin(
        self, key: str, purse: str, roots: Sequence[str], worst: Spending, budget: Budget
    ) -> int | None:
        """Charges a request that is about to be sent, at its highest possible cost `worst`. Returns
        its number, or None when that would exceed the budget."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction("IMMEDIATE") as db:
            spent, total = db.execute(
                "SELECT coalesce(sum(cost) FILTER (WHERE purse = ?), 0), coalesce(sum(cost), 0) "
                "FROM requests",
                (purse,),
            ).fetchone()
            if spent + worst.cost > budget.purse or total + worst.cost > budget.total:
                return None
            cursor = db.execute(
                "INSERT INTO requests (key, purse, at, roots, tokens_in, tokens_out, cost) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, purse, now, json.dumps(roots), *_charge(worst)),
            )
            return cursor.lastrowid

    def settle(self, number: int, answer: str | None, actual: Spending) -> None:
        """Stores the answer to a request and its actual cost. A refused request (`actual.requests`
        is 0) costs nothing and is deleted."""
        with self._transaction("IMMEDIATE") as db:
            if not actual.requests:
                db.execute("DELETE FROM requests WHERE id = ?", (number,))
                return
            db.execute(
                "UPDATE requests SET answer = ?, tokens_in = ?, tokens_out = ?, cost = ? "
                "WHERE id = ?",
                (answer, *_charge(actual), number),
            )

    def discard(self, keys: Sequence[str]) -> None:
        """Deletes the answers to these requests, which nobody can use; their cost stays."""
        with self._transaction("IMMEDIATE") as db:
            db.executemany("UPDATE requests SET answer = NULL WHERE key = ?", [(k,) for k in keys])

    def spending(self, purse: str | None = None) -> Spending:
        """What was spent for one purse, or in total."""
        query = (
            "SELECT count(*), coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0), "
            "coalesce(sum(cost), 0) FROM requests WHERE purse = coalesce(?, purse)"
        )
        with self._transaction() as db:
            return Spending(*db.execute(query, (purse,)).fetchone())

    def forget(self, root: str) -> int:
        """Deletes the answers to prompts that contained a text of this root and returns how many it
        deleted; their cost stays."""
        with self._transaction("IMMEDIATE") as db:
            deleted = db.execute(
                "UPDATE requests SET answer = NULL, roots = '[]' "
                "WHERE EXISTS (SELECT 1 FROM json_each(roots) WHERE value = ?)",
                (root,),
            ).rowcount
        with self._lock:  # the write-ahead log may still contain the deleted answers
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted

    @contextmanager
    def _transaction(self, kind: str = "DEFERRED") -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute(f"BEGIN {kind}")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._failure(error) from error

    def _failure(self, error: Exception) -> WorkspaceError:
        return WorkspaceError(
            f"the answers of language models in {self._path} cannot be used ({error}); check "
            "disk space and permissions. Without the file, answers are requested and paid for again"
        )


def _charge(spending: Spending) -> tuple[int, int, float]:
    return spending.tokens_in, spending.tokens_out, spending.cost
