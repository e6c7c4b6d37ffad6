"""A classifier that only child processes know; it makes the trouble its folder is named for."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest

from biasloop.rounds.steps.evaluate.handover import EvaluateJob, SavedModel

TROUBLE = """
import os, signal, time
from pathlib import Path
import numpy as np
from biasloop.errors import ClassifierError

class Trouble:
    thresholds = np.array([0.5], np.float32)

    @classmethod
    def load(cls, folder):
        made = cls()
        made.kind = folder.name
        return made

    def predict_proba(self, texts, *, checkpoint):
        print("texts:", texts, flush=True)
        if self.kind == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "stumbles":
            return 1 / 0
        if self.kind == "refuses":
            raise ClassifierError("the folder è damaged; train again")
        if self.kind == "endless":
            Path("started.tmp").write_text(str(os.getpid()))
            Path("started.tmp").rename("started")
            while True:
                checkpoint()
                time.sleep(0.01)
        return np.ones((len(texts), 1), np.float32)
"""
REGISTER = """
from biasloop.plugins.registry import Kind, register
register(Kind.CLASSIFIER, "trouble", "trouble:Trouble")
"""


@pytest.fixture
def trouble_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job's folder with data; its children know the plug-in `trouble`."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "trouble.py").write_text(TROUBLE)
    (plugins / "sitecustomize.py").write_text(REGISTER)
    monkeypatch.setenv("PYTHONPATH", str(plugins), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "0000-evaluate"
    made.mkdir()
    pd.DataFrame({"text": ["uno", "due"]}).to_parquet(made / "audit.parquet")
    return made


def job(kind: str) -> EvaluateJob:
    model = SavedModel("m1", "trouble", Path("models") / kind, ("age",))
    return EvaluateJob(model, ("age",), True, 0, Path("pool"), Path("features"), judges=(model,))


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def job_children(parent: int | None = None) -> set[int]:
    """The living children for jobs, of this process or another. Tests of other things leave
    children too: the tracker of `multiprocessing` lives as long as its process."""
    children = set()
    for child in psutil.Process(parent).children():
        with suppress(psutil.NoSuchProcess):  # a zombie has no command line either
            if "biasloop.rounds.jobs" in child.cmdline():
                children.add(child.pid)
    return children


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
