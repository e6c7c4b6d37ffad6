"""A spare child does the same work as any other child, and begins at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from biasloop.errors import JobError
from biasloop.rounds.child import run_job
from biasloop.rounds.spare import spare_child
from support.trouble import ended, job, job_children, until


def test_a_job_is_done_by_the_child_that_waited(trouble_folder: Path) -> None:
    seen: list[set[int]] = []
    with spare_child():
        (waiting,) = job_children()
        assert run_job(trouble_folder, job("works"), lambda: seen.append(job_children()))
        assert np.load(trouble_folder / "m1.npy").tolist() == [[1.0], [1.0]]
        assert (trouble_folder / "log").read_text() == "texts: ['uno', 'due']\n"
        (next_one,) = job_children()
        assert next_one != waiting
        assert ended(waiting)
    assert not job_children()


def test_a_folder_may_have_any_name(trouble_folder: Path) -> None:
    odd = trouble_folder.rename(trouble_folder.parent / "0000 età\n")
    with spare_child():
        assert run_job(odd, job("works")) == {"audit": {}}
    assert (odd / "log").read_text() == "texts: ['uno', 'due']\n"


def test_errors_and_deaths_are_those_of_any_child(trouble_folder: Path) -> None:
    with spare_child():
        with pytest.raises(JobError, match=r"ZeroDivisionError: division by zero$"):
            run_job(trouble_folder, job("stumbles"))
        with pytest.raises(
            JobError, match=r"(?s)signal 9.*its log ends: .*texts: \['uno', 'due'\]$"
        ):
            run_job(trouble_folder, job("dies"))
        assert run_job(trouble_folder, job("works")) == {"audit": {}}


def test_a_dead_spare_child_is_no_trouble(trouble_folder: Path) -> None:
    with spare_child():
        (waiting,) = job_children()
        os.kill(waiting, signal.SIGKILL)
        until(lambda: ended(waiting))
        assert run_job(trouble_folder, job("works")) == {"audit": {}}


@pytest.mark.parametrize("kind", ["waits", "endless"])
def test_it_ends_when_its_parent_was_killed(trouble_folder: Path, kind: str) -> None:
    work = f"run_job(Path({str(trouble_folder)!r}), job('endless'))"
    script = f"""
import os, sys, time
from pathlib import Path
from biasloop.rounds.child import run_job
from biasloop.rounds.spare import spare_child
from support.trouble import job, job_children
with spare_child():
    Path("spare.tmp").write_text(str(*job_children()))
    Path("spare.tmp").rename("spare")
    {work if kind == "endless" else "time.sleep(600)"}
"""
    paths = os.pathsep.join(sys.path)
    environment = os.environ | {"PYTHONPATH": f"{os.environ['PYTHONPATH']}{os.pathsep}{paths}"}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment)
    started = trouble_folder.parent / ("started" if kind == "endless" else "spare")
    try:
        until(started.exists)
        child = int((trouble_folder.parent / "spare").read_text())
        assert not ended(child)
        if kind == "endless":
            assert int(started.read_text()) == child
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: ended(child))
    assert run_job(trouble_folder, job("works")) == {"audit": {}}
