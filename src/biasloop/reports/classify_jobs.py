"""Classifies texts in one process or in several, and gives the verdicts in the order of the texts.

Each process loads the model once. It ends with the process that started it (R11).
"""

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

from biasloop.domain.label import Scheme
from biasloop.errors import JobError
from biasloop.intake.texts import Text
from biasloop.plugins.loaded_model import LoadedModel
from biasloop.reports.classify import Verdict, classify
from biasloop.service.models import version_in_service
from biasloop.service.service import Service

AHEAD = 2
"""Pieces of the input that wait or are worked on, for each process."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """How texts are classified: by which model, for which labels, and how they are read."""

    classifier: str
    folder: Path
    names: tuple[str, ...]
    scheme: Scheme
    unit: str
    language: str
    keep_markup: bool


def classify_in_order(
    chunks: Iterable[Sequence[Text]], task: Task, jobs: int
) -> Iterator[list[Verdict]]:
    """The verdicts of every chunk, in the order of the chunks. At most AHEAD chunks for each
    process are in memory.

    Raises ClassifierError for a damaged model, and JobError when one of the processes is killed.
    """
    if jobs == 1:
        yield from (_classify(task, chunk) for chunk in chunks)
        return
    # A copy of this process would inherit its locks and threads, so they start from nothing.
    with _one_thread_each(jobs):
        pool = ProcessPoolExecutor(jobs, get_context("spawn"), _begin)
        waiting: deque[Future[list[Verdict]]] = deque()
        try:
            for chunk in chunks:
                waiting.append(pool.submit(_classify, task, chunk))
                if len(waiting) > AHEAD * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise JobError(
                f"one of the {jobs} processes that classify was killed, perhaps for lack of "
                "memory; run the same command again, with fewer --jobs if memory is short: with "
                "--to it goes on where it stopped"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def task_of(service: Service) -> Task:
    """Classifies with the model in service as the campaign is set up. Raises ClassifierError when
    there is no model yet."""
    version, about = version_in_service(service), service.campaign.about
    return Task(
        classifier=version.classifier,
        folder=service.layout.folder / version.folder,
        names=tuple(version.labels),
        scheme=service.campaign.scheme,
        unit=about.unit,
        language=about.language,
        keep_markup=service.settings.intake.markup == "keep",
    )


@lru_cache(maxsize=1)
def _load(task: Task) -> LoadedModel:
    return LoadedModel.load(task.classifier, task.folder, task.names, task.scheme)


def _classify(task: Task, chunk: Sequence[Text]) -> list[Verdict]:
    verdicts = classify(
        chunk,
        _load(task),
        unit=task.unit,
        language=task.language,
        keep_markup=task.keep_markup,
    )
    return list(verdicts)


def _begin() -> None:
    """What each process does first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started it
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread_each(jobs: int) -> Iterator[None]:
    """Shares the processors among the processes that are started within the block."""
    before = {name: os.environ.get(name) for name in THREADS}
    share = str(max(1, (os.cpu_count() or 1) // jobs))
    os.environ.update({name: share for name, value in before.items() if value is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
