"""Jobs in child processes: what they return, and what is left when a process dies (R11).

The children are real; a plug-in that only they know causes the trouble.
"""

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from biasloop.domain.policy import Policy
from biasloop.errors import ClassifierError, JobError, LostLease
from biasloop.rounds import child
from biasloop.rounds.child import job_folder, job_to_json, run_job
from biasloop.rounds.jobs import JOBS, job_from_json
from biasloop.rounds.steps.evaluate.handover import EvaluateJob, SavedModel
from biasloop.tuning.handover import Method, Recipe
from support.trouble import ended, job, job_children, until


def example(job: type) -> Any:
    """A job of that kind with all its fields set."""
    model = SavedModel("m1", "tfidf", Path("models/m1"), ("gender", "age"))
    values = {
        "workspace": Path("/workspace"), "expanders": {"llm": {"texts": 3}}, "llm": {"model": "m"},
        "purse": "round 1", "errors": {"età": 0.5}, "turn": 2, "seed": 3, "classifier": "tfidf",
        "pool": Path("pool"), "pool_rows": 7, "features": Path("features"), "needs": ("proba",),
        "multi": True, "cascade": 9, "out": Path("out"), "options": {"c": 0.1, "deep": {"n": [1]}},
        "labels": ("age", "gender"), "linear": {}, "weight": 0.5, "up_to": 8, "judges": (model,),
        "earlier": (Path("r0001.stop.parquet"),), "renamed": {"eta": "age"},
        "policy": Policy("Linee guida."), "base": Path("base"), "on": Path("adapter"),
        "recipe": Recipe(Method.DPO, 1e-5, four_bit=True), "placebo": True,
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


def test_a_result_comes_back(trouble_folder: Path) -> None:
    assert run_job(trouble_folder, job("works")) == {"audit": {}}
    assert np.load(trouble_folder / "m1.npy").tolist() == [[1.0], [1.0]]
    assert np.load(trouble_folder / "m1.flags.npy").tolist() == [[True], [True]]
    assert (trouble_folder / "log").read_text() == "texts: ['uno', 'due']\n"  # and no complaint


def test_a_result_that_is_there_needs_no_child(trouble_folder: Path) -> None:
    assert run_job(trouble_folder, job("works")) == {"audit": {}}
    (trouble_folder / "log").unlink()
    assert run_job(trouble_folder, job("dies")) == {"audit": {}}
    assert not (trouble_folder / "log").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("result.json", b""),
        ("audit.json", b'{"a'),
        ("m1.npy", None),
        ("m1.flags.npy", b"\x93NUMPY"),
    ],
)
def test_a_result_with_a_damaged_file_is_computed_again(
    trouble_folder: Path, name: str, content: bytes | None
) -> None:
    works = job("works")
    run_job(trouble_folder, works)
    (trouble_folder / name).unlink()
    if content is not None:
        (trouble_folder / name).write_bytes(content)
    if name == "audit.json":
        (trouble_folder / "result.json").unlink()  # the child died before it wrote this one
    assert run_job(trouble_folder, works) == {"audit": {}}
    assert np.load(trouble_folder / "m1.npy").tolist() == [[1.0], [1.0]]
    assert np.load(trouble_folder / "m1.flags.npy").tolist() == [[True], [True]]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"garbage"])
def test_damaged_data_of_a_job_are_written_again(tmp_path: Path, content: bytes) -> None:
    texts = pd.DataFrame({"text": ["uno"]})
    folder = job_folder(tmp_path, job("works"), audit=texts)
    (folder / "audit.parquet").write_bytes(content)
    assert job_folder(tmp_path, job("works"), audit=texts) == folder
    assert pd.read_parquet(folder / "audit.parquet")["text"].tolist() == ["uno"]


def test_a_half_written_error_and_no_log_are_reported(trouble_folder: Path) -> None:
    (trouble_folder / "error.json").write_text('{"ty')
    error = child._failure(trouble_folder, 1)
    assert isinstance(error, JobError)
    assert "it wrote no log" in str(error)


def test_a_child_that_dies_leaves_the_end_of_its_log(trouble_folder: Path) -> None:
    with pytest.raises(
        JobError, match=r"0000-evaluate ended without a result.* MB free .*; its log ends: "
    ) as e:
        run_job(trouble_folder, job("dies"))
    assert str(e.value).endswith("texts: ['uno', 'due']")


def test_a_fault_in_a_child_leaves_its_traceback(trouble_folder: Path) -> None:
    with pytest.raises(JobError, match=r"ZeroDivisionError: division by zero$"):
        run_job(trouble_folder, job("stumbles"))


def test_an_error_of_ours_crosses_as_its_own_type(trouble_folder: Path) -> None:
    for _ in range(2):
        with pytest.raises(ClassifierError, match=r"^the folder è damaged; train again$"):
            run_job(trouble_folder, job("refuses"))
    with pytest.raises(JobError):  # the earlier error is forgotten
        run_job(trouble_folder, job("dies"))
    assert run_job(trouble_folder, job("works")) == {"audit": {}}


def test_a_parent_that_lost_the_lease_ends_its_child(
    trouble_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "BEAT_SECONDS", 0)
    started = trouble_folder.parent / "started"

    def heartbeat() -> None:
        if started.exists():
            raise LostLease("somebody else has it")

    with pytest.raises(LostLease):
        run_job(trouble_folder, job("endless"), heartbeat)
    assert ended(int(started.read_text()))
    assert not (trouble_folder / "result.json").exists()
    assert run_job(trouble_folder, job("works")) == {"audit": {}}  # nothing holds the folder's lock


def test_the_heart_beats_while_the_child_works(
    trouble_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "BEAT_SECONDS", 0)
    beats: list[None] = []
    run_job(trouble_folder, job("works"), lambda: beats.append(None))
    assert len(beats) > 1


def test_a_child_ends_when_its_parent_was_killed(trouble_folder: Path) -> None:
    script = f"from pathlib import Path; from biasloop.rounds.child import run_job; \
        from biasloop.rounds.jobs import job_from_json; \
        run_job(Path({str(trouble_folder)!r}), job_from_json({job_to_json(job('endless'))!r}))"
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        started = trouble_folder.parent / "started"
        until(started.exists)
        child = int(started.read_text())
        assert not ended(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: ended(child))
    assert not (trouble_folder / "result.json").exists()
    assert run_job(trouble_folder, job("works")) == {"audit": {}}


def test_a_folder_that_is_deleted_meanwhile_is_no_riddle(
    trouble_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "BEAT_SECONDS", 0)

    def delete() -> None:
        if (trouble_folder.parent / "started").exists():
            shutil.rmtree(trouble_folder, ignore_errors=True)
            for pid in job_children():
                os.kill(pid, signal.SIGTERM)

    with pytest.raises(JobError, match="was deleted while it ran, as it is when an ad is taken"):
        run_job(trouble_folder, job("endless"), delete)


def test_a_second_child_waits_for_the_first_and_takes_its_result(
    trouble_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "BEAT_SECONDS", 0)
    waiting: list[int] = []

    def heartbeat() -> None:
        waiting.extend(job_children())

    first = FileLock(trouble_folder / "lock")
    with ThreadPoolExecutor(1) as pool:
        with first:
            second = pool.submit(run_job, trouble_folder, job("dies"), heartbeat)
            until(lambda: waiting)
            for name in ("m1.npy", "m1.flags.npy"):
                np.save(trouble_folder / name, np.ones(1))
            (trouble_folder / "result.json").write_text('{"audit": {"by": "the first"}}')
        assert second.result() == {"audit": {"by": "the first"}}
    assert "texts" not in (trouble_folder / "log").read_text()
