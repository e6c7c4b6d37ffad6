"""Verdicts on many texts into a file: in several processes, and again after a kill.

Next to the file there is meanwhile a folder with the verdicts of every piece of the input. A run
that finds the folder of the same run goes on there, and gives what one run would have given.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from biasloop.domain import columns
from biasloop.errors import WorkspaceError
from biasloop.intake.texts import Text, in_chunks
from biasloop.reports.classify import Verdict
from biasloop.reports.classify_jobs import Task, classify_in_order
from biasloop.reports.classify_summary import Summary
from biasloop.reports.classify_tables import write_verdicts
from biasloop.reports.json_values import to_json
from biasloop.store.atomic import errors_naming, write_whole

CHUNK_TEXTS = 100
CHUNK_CHARACTERS = 500_000
"""Texts and characters that are classified at a time, and lost by a kill."""
RUN = "run.json"


@dataclass(frozen=True)
class Target:
    """The file to write, and how: a row for each sentence or each text. `force` replaces a file
    that exists, and what another run has left."""

    path: Path
    format: str
    by_sentence: bool = False
    force: bool = False

    @property
    def folder(self) -> Path:
        """The folder with what is classified already."""
        return self.path.with_name(f"{self.path.name}.partial")

    @property
    def rejects(self) -> Path:
        """The file for what could not be read."""
        return self.path.with_name(f"{self.path.name}.rejects.jsonl")

    def check(self) -> None:
        """Raises WorkspaceError if the file exists and is not to be replaced, or is no ordinary
        file."""
        check_free(self.path, force=self.force)

    def check_apart(self, source: Path | None) -> None:
        """Raises WorkspaceError if what is read would be written over, or what is written read."""
        for path in (self.path, self.rejects):
            check_apart(path, source)


def check_free(path: Path, *, force: bool) -> None:
    """Raises WorkspaceError if a file exists and is not to be replaced by `force`, or is no
    ordinary file: a folder or a device is never replaced."""
    if path.exists() and not path.is_file():
        raise WorkspaceError(f"{path} is no ordinary file; choose another name")
    if path.exists() and not force:
        raise WorkspaceError(f"{path} exists; choose another name, or replace it with --force")


def check_apart(path: Path, source: Path | None) -> None:
    """Raises WorkspaceError if a file to write is the file that is read, or in the folder that is
    read."""
    if source is not None and path.resolve().is_relative_to(source.resolve()):
        raise WorkspaceError(f"{path} is what is read, or within it; choose another place")


def fingerprint(path: Path | None, task: Task, **options: Any) -> str:
    """What a run must have in common with an earlier one to go on with its verdicts: input, model
    and options. "" for an input without a file, which cannot be read twice."""
    if path is None:
        return ""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    inputs = [
        (str(file.resolve()), (stat := file.stat()).st_size, stat.st_mtime_ns)
        for file in files
        if file.is_file()
    ]
    facts = {
        "input": inputs,
        "model": [str(task.folder.resolve()), task.names],
        "labels": task.scheme.labels,
        "reading": [task.unit, task.language, task.keep_markup],
        "pieces": [CHUNK_TEXTS, CHUNK_CHARACTERS],
        **options,
    }
    return json.dumps(facts, sort_keys=True, default=str)


def classify_to_file(
    texts: Iterable[Text], task: Task, target: Target, *, jobs: int, run: str
) -> Summary:
    """Writes the verdicts on these texts; returns a summary of them. `run` is the fingerprint.

    Raises WorkspaceError if the file may not be written or another run is writing it, and what
    `texts` and `classify_in_order` raise; then the same call goes on later.
    """
    with errors_naming(target.path), _working_folder(target, run) as folder:
        done = _done(folder)
        chunks = islice(in_chunks(texts, CHUNK_TEXTS, CHUNK_CHARACTERS), done, None)
        for number, verdicts in enumerate(classify_in_order(chunks, task, jobs), start=done):
            write_whole(_file(folder, number), "".join(map(_line, verdicts)))
        files = [_file(folder, number) for number in range(_done(folder))]
        summary = Summary(task.scheme.labels)
        for verdict in _read(files):
            summary.add(verdict)
        written = write_verdicts(
            lambda: _read(files), task.scheme.labels, target.format, folder, target.by_sentence
        )
        with written.open("rb") as file:
            os.fsync(file.fileno())
        target.check()
        written.replace(target.path)
        (folder / RUN).unlink()  # first, so that a kill leaves nothing that looks like a run
        shutil.rmtree(folder)
    return summary


@contextmanager
def _working_folder(target: Target, run: str) -> Iterator[Path]:
    """The folder, with what the same run has left and nothing else. Raises WorkspaceError."""
    folder, before = target.folder, target.folder / RUN
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock", timeout=0):
            target.check()
            left = before.read_text("utf-8") if before.exists() else None
            if left != run or not run:
                if left is not None and run and _done(folder) and not target.force:
                    raise WorkspaceError(
                        f"{folder} holds verdicts of another run: the input, the model or an "
                        "option has changed since; --force begins again"
                    )
                for file in folder.glob("*.json*"):
                    file.unlink()
            write_whole(before, run)
            try:
                yield folder
            finally:
                if not _done(folder):
                    shutil.rmtree(folder, ignore_errors=True)
    except Timeout:
        raise WorkspaceError(
            f"another command is writing {target.path}; wait until it has ended"
        ) from None


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:08d}.jsonl"


def _done(folder: Path) -> int:
    """The number of pieces that are classified, from the first one on."""
    return next(number for number in count() if not _file(folder, number).exists())


def _line(verdict: Verdict) -> str:
    """A verdict as it is kept, with the types of its columns."""
    kept = dict(verdict)
    kept["columns"] = columns.to_json(kept.get("columns", {}))
    return to_json(kept) + "\n"


def _read(files: Sequence[Path]) -> Iterator[Verdict]:
    for path in files:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield _verdict(json.loads(line))


def _verdict(kept: Mapping[str, Any]) -> Verdict:
    others = {name: value for name, value in kept.items() if name != "columns"}
    return others | ({"columns": columns.from_json(kept["columns"])} if kept["columns"] else {})
