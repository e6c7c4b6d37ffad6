"""The database of an embedded Label Studio, where its own requests do not reach."""

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from biasloop.errors import LabelStudioDown

FILE = "label_studio.sqlite3"
BUSY_SECONDS = 60.0
ANSWERS = ("task_completion", "tasks_annotationdraft", "prediction")
"""Tables with what was answered about tasks, in a column `result`."""


def compact(data_dir: Path) -> None:
    """Rewrites the database, so that what was deleted is in no unused page of it either; the server
    may run. Raises LabelStudioDown when the database is busy for too long or damaged."""
    if (data_dir / FILE).exists():
        with _opened(data_dir) as database:
            database.execute("VACUUM")


def erase_words(data_dir: Path, item_ids: Collection[str]) -> None:
    """Blanks the texts of these items in a database that no server runs on, as in a backup, and
    what was marked and written about them; chosen labels stay. Raises LabelStudioDown when the
    database is damaged."""
    if not (data_dir / FILE).exists():
        return
    with _opened(data_dir) as database:
        erased = set(item_ids)
        for task_id, text in database.execute("SELECT id, data FROM task").fetchall():
            data = json.loads(text)
            if data.get("item_id") in erased:
                blank = json.dumps(data | {"text": "", "context": ""})
                database.execute("UPDATE task SET data = ? WHERE id = ?", (blank, task_id))
                for table in ANSWERS:
                    _erase_answers(database, table, task_id)
        database.commit()
        database.execute("VACUUM")


def _erase_answers(database: sqlite3.Connection, table: str, task_id: int) -> None:
    """Leaves of the answers about a task what was chosen."""
    rows = database.execute(f"SELECT id, result FROM {table} WHERE task_id = ?", (task_id,))  # noqa: S608
    for answer_id, text in rows.fetchall():
        result: Any = json.loads(text) if text else None
        regions = result if isinstance(result, list) else []
        chosen = [part for part in regions if part.get("type") == "choices"]
        database.execute(
            f"UPDATE {table} SET result = ? WHERE id = ?",  # noqa: S608
            (json.dumps(chosen), answer_id),
        )


@contextmanager
def _opened(data_dir: Path) -> Iterator[sqlite3.Connection]:
    path = data_dir / FILE
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as database:
            yield database
    except (sqlite3.Error, ValueError) as error:
        raise LabelStudioDown(f"{path} cannot be rewritten: {error}") from error
