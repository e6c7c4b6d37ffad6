"""Heavy work in a child process: what comes back, and what is left when somebody dies (R11).

The children are real; a plug-in that only they know makes the trouble.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from filelock import FileLock

from biasloop.errors import ClassifierError, JobError, LostLease
from biasloop.rounds import child
from biasloop.rounds.child import job_folder, job_to_json, run_job
from biasloop.rounds.jobs import JOBS, job_from_json
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
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
    model = SavedModel("m1", "trouble", Path("models") / kind)
    return EvaluateJob(model, ("age",), True, 0, Path("pool"), Path("features"), judges=(model,))


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def example(job: type) -> Any:
    """A job of that kind with all its fields set."""
    model = SavedModel("m1", "tfidf", Path("models/m1"))
    values = {
        "workspace": Path("/workspace"), "expanders": {"llm": {"texts": 3}}, "llm": {"model": "m"},
        "purse": "round 1", "errors": {"età": 0.5}, "turn": 2, "seed": 3, "classifier": "tfidf",
        "pool": Path("pool"), "pool_rows": 7, "features": Path("features"), "needs": ("proba",),
        "multi": True, "cascade": 9, "out": Path("out"), "options": {"c": 0.1, "deep": {"n": [1]}},
        "labels": ("age", "gender"), "linear": {}, "weight": 0.5, "up_to": 8, "judges": (model,),
        "earlier": (Path("r0001.stop.parquet"),),
        "model": model if job is EvaluateJob else model.folder,
    }  # fmt: skip
    return job(**{name: values[name] for name in job.__dataclass_fields__})


@pytest.mark.parametrize("job", JOBS)
def test_a_job_crosses_as_it_is(job: type) -> None:
    sent = example(job)
    assert job_from_json(job_to_json(sent)) == sent


def test_a_job_that_nobody_knows_is_no_job() -> None:
    with pytest.raises(KeyError, match="DanceJob"):
        job_from_json('{"job": "DanceJob"}')


def test_another_job_or_other_data_work_elsewhere(tmp_path: Path) -> None:
    texts = pd.DataFrame({"text": ["uno"]})
    folders = [
        job_folder(tmp_path, job("works"), audit=texts),
        job_folder(tmp_path, job("dies"), audit=texts),
        job_folder(tmp_path, job("works"), audit=texts + "!"),
    ]
    assert len(set(folders)) == 3
    assert job_folder(tmp_path, job("works"), audit=texts) == folders[0]
    assert pd.read_parquet(folders[2] / "audit.parquet")["text"].tolist() == ["uno!"]


def test_a_result_comes_back(folder: Path) -> None:
    assert run_job(folder, job("works")) == {"audit": {}}
    assert np.load(folder / "m1.npy").tolist() == [[1.0], [1.0]]
    assert np.load(folder / "m1.thresholds.npy").tolist() == [0.5]
    assert (folder / "log").read_text() == "texts: ['uno', 'due']\n"  # and no complaint


def test_a_result_that_is_there_needs_no_child(folder: Path) -> None:
    (folder / "result.json").write_text('{"scored": 3}')
    assert run_job(folder, job("dies")) == {"scored": 3}
    assert not (folder / "log").exists()


def test_a_child_that_dies_leaves_the_end_of_its_log(folder: Path) -> None:
    with pytest.raises(
        JobError, match=r"0000-evaluate ended without a result.* MB free .*; its log ends: "
    ) as e:
        run_job(folder, job("dies"))
    assert str(e.value).endswith("texts: ['uno', 'due']")


def test_a_fault_in_a_child_leaves_its_traceback(folder: Path) -> None:
    with pytest.raises(JobError, match=r"ZeroDivisionError: division by zero$"):
        run_job(folder, job("stumbles"))


def test_an_error_of_ours_crosses_as_its_own_type(folder: Path) -> None:
    for _ in range(2):
        with pytest.raises(ClassifierError, match=r"^the folder è damaged; train again$"):
            run_job(folder, job("refuses"))
    with pytest.raises(JobError):  # what was told before is forgotten
        run_job(folder, job("dies"))
    assert run_job(folder, job("works")) == {"audit": {}}


def test_who_lost_the_lease_takes_the_child_along(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "BEAT_SECONDS", 0)
    started = folder.parent / "started"

    def heartbeat() -> None:
        if started.exists():
            raise LostLease("somebody else has it")

    with pytest.raises(LostLease):
        run_job(folder, job("endless"), heartbeat)
    assert ended(int(started.read_text()))
    assert not (folder / "result.json").exists()
    assert run_job(folder, job("works")) == {"audit": {}}  # nothing holds the folder's lock


def test_the_heart_beats_while_the_child_works(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "BEAT_SECONDS", 0)
    beats: list[None] = []
    run_job(folder, job("works"), lambda: beats.append(None))
    assert len(beats) > 1


def test_a_child_ends_when_its_parent_was_killed(folder: Path) -> None:
    script = f"from pathlib import Path; from biasloop.rounds.child import run_job; \
        from biasloop.rounds.jobs import job_from_json; \
        run_job(Path({str(folder)!r}), job_from_json({job_to_json(job('endless'))!r}))"
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        started = folder.parent / "started"
        until(started.exists)
        child = int(started.read_text())
        assert not ended(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: ended(child))
    assert not (folder / "result.json").exists()
    assert run_job(folder, job("works")) == {"audit": {}}


def test_a_second_child_waits_for_the_first_and_takes_its_result(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "BEAT_SECONDS", 0)
    waiting: list[int] = []

    def heartbeat() -> None:
        waiting.extend(child.pid for child in psutil.Process(os.getpid()).children())

    first = FileLock(folder / "lock")
    with ThreadPoolExecutor(1) as pool:
        with first:
            second = pool.submit(run_job, folder, job("dies"), heartbeat)
            until(lambda: waiting)
            (folder / "result.json").write_text('{"by": "the first"}')
        assert second.result() == {"by": "the first"}
    assert "texts" not in (folder / "log").read_text()
