"""What language models were asked, what they answered, and what it cost: one SQLite file.

An answer is on disk before anybody uses it, so a killed expansion goes on without paying twice.
A request is charged at its highest possible cost before it is sent, and at its real one once it
is answered: neither a kill nor a dead connection can overrun a budget.
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
    """32 hex digits over all that an answer depends on."""
    whole = json.dumps([model, parameters, messages, sample], sort_keys=True)
    return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class AnswerCache:
    """Safe for many threads and processes. Raises WorkspaceError when the file is damaged or
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
        """The raw answer to this request; None when there is none yet."""
        query = "SELECT answer FROM requests WHERE key = ? AND answer IS NOT NULL LIMIT 1"
        with self._transaction() as db:
            row = db.execute(query, (key,)).fetchone()
        return row[0] if row else None

    def begin(
        self, key: str, purse: str, roots: Sequence[str], worst: Spending, budget: Budget
    ) -> int | None:
        """Charges a request that is about to be sent; returns its number, or None when the budget
        does not hold so much more."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction("IMMEDIATE") as db:
            spent, total = db.execute(
                "SELECT coalesce(sum(cost) FILTER (WHERE purse = ?), 0), coalesce(sum(cost), 0) "
                "FROM requests",
                (purse,),
            ).fetchone()
            if spent + worst.cost > budget.purse or total + worst.cost > budget.total:
                return None
            done = db.execute(
                "INSERT INTO requests (key, purse, at, roots, tokens_in, tokens_out, cost) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, purse, now, json.dumps(roots), *_charge(worst)),
            )
            return done.lastrowid

    def settle(self, number: int, answer: str | None, real: Spending) -> None:
        """What became of a request. A refused one (`real.requests` is 0) is charged nothing and
        leaves no trace."""
        with self._transaction("IMMEDIATE") as db:
            if not real.requests:
                db.execute("DELETE FROM requests WHERE id = ?", (number,))
                return
            db.execute(
                "UPDATE requests SET answer = ?, tokens_in = ?, tokens_out = ?, cost = ? "
                "WHERE id = ?",
                (answer, *_charge(real), number),
            )

    def spending(self, purse: str | None = None) -> Spending:
        """What was spent for one purse, or in all."""
        query = (
            "SELECT count(*), coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0), "
            "coalesce(sum(cost), 0) FROM requests WHERE purse = coalesce(?, purse)"
        )
        with self._transaction() as db:
            return Spending(*db.execute(query, (purse,)).fetchone())

    def forget(self, root: str) -> int:
        """Drops the answers to prompts that held a text of this root; what they cost stays."""
        with self._transaction("IMMEDIATE") as db:
            gone = db.execute(
                "UPDATE requests SET answer = NULL, roots = '[]' "
                "WHERE EXISTS (SELECT 1 FROM json_each(roots) WHERE value = ?)",
                (root,),
            ).rowcount
        with self._lock:  # the log beside the file may hold the old pages
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

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
            "space and rights. Without the file, answers are asked and paid for again"
        )


def _charge(spending: Spending) -> tuple[int, int, float]:
    return spending.tokens_in, spending.tokens_out, spending.cost
