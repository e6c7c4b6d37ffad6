"""`biasloop simulate` as users run it: what it prints, what it stores, what it refuses."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from biasloop.cli.main import app
from biasloop.errors import BiasloopError
from support.cli import Cli, write_jsonl
from support.planted import write_files

SMALL = ("--batch", 10, "--budget", 30, "--seeds", 2)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """In a place where there is no workspace."""
    return Cli(tmp_path / "no-workspace")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    pool, test = write_files(tmp_path_factory.mktemp("planted"))
    return "--pool", pool, "--test", test


def finished(out: Path) -> dict[str, int]:
    """Finished runs, and when they were written."""
    return {
        path.name: path.stat().st_mtime_ns for path in out.glob("runs/????????????????????????.npz")
    }


def test_curves_labels_saved_and_plots(cli: Cli, files: tuple[Any, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    ask = ("simulate", *files, "--strategies", "auto", *SMALL, "--out", out)
    done = cli.run(*ask, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    report = json.loads(done.stdout)
    assert report["curves"].keys() == {"auto", "random"}  # random is run though nobody asked
    for curve in report["curves"].values():
        assert curve["budgets"] == [10, 20, 30]
        for metric in ("accuracy", "macro_f1"):
            for low, mean, high in zip(
                *(curve[metric][n] for n in ("low", "mean", "high")), strict=True
            ):
                assert 0 <= low <= mean <= high <= 1
    assert report["labels_saved"]["random"] == {"at": 30, "mean": 0, "low": 0, "high": 0}
    saved = report["labels_saved"]["auto"]
    assert saved["at"] == 30
    assert -1 <= saved["low"] <= saved["high"] <= 1
    page = (out / "curves.html").read_text("utf-8")
    assert "Plotly.newPlot" in page
    assert 'src="http' not in page  # needs nothing from elsewhere
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")

    # The same question again: nothing is run, the answer is the same, this time for people.
    runs = finished(out)
    assert len(runs) == 4
    output = cli(*ask)
    assert finished(out) == runs
    assert f"{saved['mean']:.2f} {saved['low']:.2f}…{saved['high']:.2f}" in output
    assert str(out / "curves.html") in output

    # Compared with another classifier, whose runs are all that is added.
    absolute = json.loads(cli(*ask, "--baseline", "tfidf", "--json"))["absolute"]
    assert finished(out) == runs  # the same classifier, so nothing is run again
    assert absolute["baseline"] == "tfidf with random labels"
    longer = ("--baseline", "tfidf", "--baseline-options", '{"longest": 4}')
    output = cli(*ask, *longer)
    assert len(finished(out)) == 6
    assert "absolute: labels saved compared with tfidf with random labels" in output
    alone = cli.run(*ask, "--baseline-options", '{"longest": 4}')
    assert (alone.returncode, "those of --baseline" in alone.stderr) == (2, True)
    for wrong, message in (("[]", "--baseline-options is not a JSON object"), ("{", "not JSON")):
        refused = cli.run(*ask, "--baseline", "tfidf", "--baseline-options", wrong)
        assert refused.returncode == 2
        assert message in refused.stderr


def test_a_killed_simulation_goes_on_where_it_was(
    cli: Cli, files: tuple[Any, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ask = ("simulate", *files, *SMALL[:-1], 5, "--out", out, "--json")
    process = subprocess.Popen(
        cli.command(*ask), env=cli.environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    while len(finished(out)) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive  # no worker outlives the command
    before = finished(out)
    assert 2 <= len(before) < 10

    resumed = json.loads(cli(*ask))
    after = finished(out)
    assert len(after) == 10
    assert before.items() <= after.items()  # what was finished was not run again
    assert set(resumed["labels_saved"]) == {"auto", "random"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--options", "{"), "--options is not JSON"),
        (("--options", "[]"), "--options is not a JSON object"),
        (("--metric", "f2"), "there is no metric 'f2'; known are accuracy, macro_f1"),
        (("--batch", "40"), "--batch 40 is more than --budget 30"),
        (("--strategies", "auto,nosuch"), "no strategy is called 'nosuch'; known: "),
    ],
)
def test_a_wrong_question_is_refused(
    files: tuple[Any, ...], wrong: tuple[str, str], says: str, tmp_path: Path
) -> None:
    asked = list(map(str, ("simulate", *files, *SMALL, "--out", tmp_path / "out", *wrong)))
    with pytest.raises(BiasloopError, match=re.escape(says)):
        app(asked, standalone_mode=False)


def test_bad_input_gets_one_line(cli: Cli, files: tuple[Any, ...], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "x", "label": "yes"}\n{"text": \n', "utf-8")
    message = cli.error("simulate", *files, "--test", broken, "--out", tmp_path / "out")
    assert "broken.jsonl, line 2: broken JSON" in message


def test_test_texts_that_are_in_the_pool_are_counted_and_left_out(
    cli: Cli, files: tuple[Any, ...], tmp_path: Path
) -> None:
    _, pool, _, test = files
    leaked = tmp_path / "leaked.jsonl"
    rows = [json.loads(line) for line in pool.read_text("utf-8").splitlines()[:40]]
    known = [row | {"text": f" {row['text'].upper()} "} for row in rows]
    write_jsonl(leaked, *map(json.loads, test.read_text("utf-8").splitlines()), *known)
    small = ("--strategies", "random", "--batch", 10, "--budget", 20, "--seeds", 1, "--json")
    clean = cli.run("simulate", *files, *small, "--out", tmp_path / "clean")
    done = cli.run(
        "simulate", "--pool", pool, "--test", leaked, *small, "--out", tmp_path / "leaked"
    )
    assert json.loads(done.stdout)["curves"] == json.loads(clean.stdout)["curves"]
    assert json.loads(done.stdout)["test_texts_left_out"] == 40
    assert json.loads(done.stdout)["test_texts_nearly_in_pool"] >= 0
    assert "40 texts of" in done.stderr
    assert "warning" not in clean.stderr
