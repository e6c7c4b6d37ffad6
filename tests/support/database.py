"""The database of the real Label Studio: read directly, copied, and put back as it was."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from support.labelstudio_server import Server


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        yield connection


def _live(server: Server) -> Path:
    return server.data_dir / "label_studio.sqlite3"


def copy_database(server: Server, to: Path) -> Path:
    """A backup, while the server runs."""
    with _open(_live(server)) as live, _open(to) as backup:
        live.backup(backup)
    return to


def restore_database(server: Server, backup: Path) -> None:
    """Everything in Label Studio is as it was at that backup; what came since is gone, and its ids
    are given again."""
    with _open(backup) as old, _open(_live(server)) as live:
        old.backup(live)


def stored_answers(server: Server, project: int | None) -> dict[float, tuple[int, int]]:
    """(id of the answer, id of its task) of each answer in a project, by the seconds that it took:
    a number that no other answer of these tests takes."""
    query = (
        "SELECT a.lead_time, a.id, a.task_id FROM task_completion a "
        "JOIN task t ON t.id = a.task_id WHERE t.project_id = ?"
    )
    with _open(_live(server)) as live:
        rows = live.execute(query, (project,)).fetchall()
    assert len({seconds for seconds, *_ in rows}) == len(rows)
    return {seconds: (answer, task) for seconds, answer, task in rows}


def has_project(server: Server, project: int | None) -> bool:
    with _open(_live(server)) as live:
        return live.execute("SELECT 1 FROM project WHERE id = ?", (project,)).fetchone() is not None


def item_of_task(server: Server, task: int) -> str:
    with _open(_live(server)) as live:
        (data,) = live.execute("SELECT data FROM task WHERE id = ?", (task,)).fetchone()
    return str(json.loads(data)["item_id"])


def delete_answer(server: Server, answer: int) -> None:
    """Deletes an answer that the API cannot delete."""
    with _open(_live(server)) as live:
        live.execute(
            "UPDATE task SET updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = "
            "(SELECT task_id FROM task_completion WHERE id = ?)",
            (answer,),
        )
        live.execute("DELETE FROM task_completion WHERE id = ?", (answer,))
        live.commit()
