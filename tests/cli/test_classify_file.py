"""An analyst classifies a big file: into a file, in several processes, and again after a kill."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest

from biasloop.reports import classify_file
from support.cli import Cli, write_jsonl

TEXTS = ("Cerchiamo un barista a Lecco.", "Orario serale. Età massima: 30 anni.", "Ciao.", "")


def ads(number: int) -> Iterator[dict[str, Any]]:
    for n in range(number):
        yield {
            "ad_id": f"ad-{n}", "title": f"Annuncio {n}", "text": TEXTS[n % len(TEXTS)],
            "sector": ["food", None][n % 2], "published": "2026-03-01", "n": n,
        }  # fmt: skip


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_json_lines_with_everything_next_to_the_verdict(trained: Path, tmp_path: Path) -> None:
    cli, source = Cli(trained), write_jsonl(tmp_path / "ads.jsonl", *ads(4))
    summary = cli.json("classify", source, "--to", tmp_path / "out.jsonl")
    verdicts = lines(tmp_path / "out.jsonl")
    assert [verdict["id"] for verdict in verdicts] == [f"ad-{n}" for n in range(4)]
    assert verdicts[1]["title"] == "Annuncio 1"
    assert verdicts[1]["columns"] == {
        "ad_id": "ad-1", "sector": None, "published": "2026-03-01", "n": 1,
    }  # fmt: skip
    for verdict in verdicts:
        assert verdict["thresholds"].keys() == verdict["labels"].keys()
        for sentence in verdict["sentences"]:
            assert sentence["text"] in TEXTS[verdict["columns"]["n"]]
            for label, threshold in verdict["thresholds"].items():
                proba = sentence["labels"][label]
                if abs(proba - threshold) > 0.0001:  # both are rounded
                    assert (label in sentence["flagged"]) == (proba > threshold)
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out.jsonl"]

    assert (summary["texts"], summary["sentences"], summary["rejected"]) == (4, 4, 0)
    assert summary["flagged"] == sum(bool(verdict["flagged"]) for verdict in verdicts)
    for label, counts in summary["labels"].items():
        having = [verdict for verdict in verdicts if label in verdict["flagged"]]
        assert counts["texts"] == len(having)
        assert counts["share_of_texts"] == len(having) / 4
    distances = [doubt["distance"] for doubt in summary["uncertain"]]
    assert distances == sorted(distances)
    assert len(distances) == 3  # one text has no sentence
    assert "no estimate of a share" in summary["note"]


def test_tables_by_text_and_by_sentence(trained: Path, tmp_path: Path) -> None:
    cli, source = Cli(trained), write_jsonl(tmp_path / "ads.jsonl", *ads(4))
    cli("classify", source, "--to", tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names[:2] == ["id", "flagged"]
    assert table["published"].type == "date32[day]"
    assert table["n"].type == "int64"
    frame = table.to_pandas().set_index("id")
    assert list(frame["title"]) == [f"Annuncio {n}" for n in range(4)]
    assert list(frame["ad_id"]) == list(frame.index)
    cli("classify", source, "--to", tmp_path / "out.csv")
    by_csv = pd.read_csv(tmp_path / "out.csv").set_index("id")
    assert list(by_csv.columns) == list(frame.columns)
    assert list(by_csv["threshold_gender"]) == list(frame["threshold_gender"])

    cli("classify", source, "--to", tmp_path / "by.parquet", "--per", "sentence")
    sentences = pd.read_parquet(tmp_path / "by.parquet")
    assert list(sentences["id"]) == ["ad-0", "ad-1", "ad-1", "ad-2"]
    assert list(sentences["sentence"]) == [
        "Cerchiamo un barista a Lecco.", "Orario serale.", "Età massima: 30 anni.", "Ciao.",
    ]  # fmt: skip
    assert sentences.groupby("id")["p_age"].max().to_dict() == frame["p_age"][:3].to_dict()


def test_columns_whose_names_are_taken_and_what_only_json_can_hold(
    trained: Path, tmp_path: Path
) -> None:
    row = {"id": "\ud83d", "text": "Una cuoca \ud83d.", "flagged": "x", "p_age": 1, "title": "=1"}
    cli, source = Cli(trained), write_jsonl(tmp_path / "ads.jsonl", row)
    cli("classify", source, "--to", tmp_path / "out.parquet", "--per", "sentence")
    (read,) = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert (read["input_flagged"], read["input_p_age"]) == ("x", 1)
    assert read["id"] == "\N{REPLACEMENT CHARACTER}"
    assert read["sentence"] == "Una cuoca \N{REPLACEMENT CHARACTER}."
    cli("classify", source, "--to", tmp_path / "out.csv")
    assert list(pd.read_csv(tmp_path / "out.csv")["title"]) == ["'=1"]
    cli("classify", source, "--to", tmp_path / "out.jsonl")
    assert lines(tmp_path / "out.jsonl")[0]["id"] == "\ud83d"


def test_bad_lines_go_to_a_file_and_cost_nothing_else(trained: Path, tmp_path: Path) -> None:
    source = tmp_path / "ads.jsonl"
    good = '{"id": "a", "text": "Ciao."}\n'
    source.write_text(good + '{"id": "b"\n' + good + "[]\n", "utf-8")
    done = Cli(trained).run("classify", source, "--to", tmp_path / "out.jsonl")
    assert done.returncode == 0
    assert len(lines(tmp_path / "out.jsonl")) == 2
    assert "rejected: line 2: broken JSON" in done.stderr
    rejects = lines(tmp_path / "out.jsonl.rejects.jsonl")
    assert [(row["line"], row["reason"].split(":")[0]) for row in rejects] == [
        (2, "broken JSON"), (4, "not a JSON object"),
    ]  # fmt: skip
    source.write_text("[]\n", "utf-8")
    assert (
        "there is no text in"
        in Cli(trained).run("classify", source, "--to", tmp_path / "none.jsonl").stderr
    )
    assert not [
        path for path in tmp_path.iterdir() if path.name in ("none.jsonl", "none.jsonl.partial")
    ]


def test_nothing_is_overwritten_and_names_are_checked(trained: Path, tmp_path: Path) -> None:
    cli, out = Cli(trained), tmp_path / "out.jsonl"
    out.write_text("mine")
    assert "replace it with --force" in cli.error("classify", "Ciao.", "--to", out)
    assert out.read_text() == "mine"
    cli("classify", "Ciao.", "--to", out, "--force")
    assert lines(out)[0]["id"] == "text"
    assert "must end in" in cli.error("classify", "Ciao.", "--to", tmp_path / "x.doc", code=2)
    assert "for tables" in cli.error(
        "classify", "Ciao.", "--to", tmp_path / "x.jsonl", "--per", "sentence", code=2
    )
    assert "name it with --to" in cli.error("classify", "Ciao.", "--force", code=2)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classify_file, "CHUNK_TEXTS", 3)


def test_several_processes_give_what_one_gives(
    trained: Path, tmp_path: Path, small_chunks: None
) -> None:
    cli, source = Cli(trained), write_jsonl(tmp_path / "ads.jsonl", *ads(20))
    cli("classify", source, "--to", tmp_path / "1.jsonl")
    cli("classify", source, "--to", tmp_path / "2.jsonl", "--jobs", 2)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    printed = cli("classify", source, "--jobs", 2)
    assert [json.loads(line) for line in printed.splitlines()] == lines(tmp_path / "1.jsonl")


def start(cli: Cli, *arguments: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        cli.command("classify", *arguments), env=cli.environment, stderr=subprocess.PIPE
    )


def wait_for_pieces(folder: Path, number: int) -> None:
    end = time.monotonic() + 120
    while len(list(folder.glob("[0-9]*.jsonl"))) < number:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_killed_run_goes_on(trained: Path, tmp_path: Path) -> None:
    cli, source = Cli(trained), write_jsonl(tmp_path / "ads.jsonl", *ads(2_000))
    cli("classify", source, "--to", tmp_path / "whole.parquet")
    out = tmp_path / "out.parquet"
    with start(cli, source, "--to", out) as process:
        wait_for_pieces(tmp_path / "out.parquet.partial", 2)
        process.kill()
    assert not out.exists()
    first = (tmp_path / "out.parquet.partial" / "00000000.jsonl").stat()
    with start(cli, source, "--to", out, "--jobs", 2) as process:
        wait_for_pieces(tmp_path / "out.parquet.partial", 4)
        assert (tmp_path / "out.parquet.partial" / "00000000.jsonl").stat() == first
        assert process.stderr is not None
        worker = next(
            child
            for child in psutil.Process(process.pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        )
        worker.send_signal(signal.SIGKILL)
        said = process.stderr.read().decode()
    assert process.returncode == 1
    assert "was killed, perhaps for lack of memory; run the same command again" in said
    cli("classify", source, "--to", out)
    assert out.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert not (tmp_path / "out.parquet.partial").exists()


def test_processes_end_with_the_command(trained: Path, tmp_path: Path) -> None:
    cli, source = Cli(trained), write_jsonl(tmp_path / "ads.jsonl", *ads(5_000))
    with start(cli, source, "--to", tmp_path / "out.jsonl", "--jobs", 2) as process:
        wait_for_pieces(tmp_path / "out.jsonl.partial", 1)
        children = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []


def test_verdicts_of_another_run_are_not_taken(trained: Path, tmp_path: Path) -> None:
    cli, out = Cli(trained), tmp_path / "out.jsonl"
    source = write_jsonl(tmp_path / "ads.jsonl", *ads(5))
    cli("classify", source, "--to", tmp_path / "other.jsonl")
    left = tmp_path / "out.jsonl.partial"
    left.mkdir()
    (left / "run.json").write_text("{}")
    shutil.copy(tmp_path / "other.jsonl", left / "00000000.jsonl")
    assert "holds verdicts of another run" in cli.error("classify", source, "--to", out)
    cli("classify", source, "--to", out, "--force")
    assert out.read_bytes() == (tmp_path / "other.jsonl").read_bytes()


def test_what_a_kill_at_the_very_end_leaves_is_no_run(
    trained: Path, tmp_path: Path, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli, out = Cli(trained), tmp_path / "out.jsonl"
    one = write_jsonl(tmp_path / "one.jsonl", *ads(12))
    other = write_jsonl(tmp_path / "other.jsonl", *reversed(list(ads(12))))
    cli("classify", other, "--to", tmp_path / "whole.jsonl")
    with monkeypatch.context() as patched:
        patched.setattr(classify_file.shutil, "rmtree", lambda *_, **__: None)
        cli("classify", one, "--to", out)
    assert (tmp_path / "out.jsonl.partial" / "00000003.jsonl").exists()
    out.unlink()
    cli("classify", other, "--to", out)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_missing_piece_is_classified_again(
    trained: Path, tmp_path: Path, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli, out = Cli(trained), tmp_path / "out.jsonl"
    source = write_jsonl(tmp_path / "ads.jsonl", *ads(12))
    with monkeypatch.context() as patched:
        patched.setattr(classify_file.shutil, "rmtree", lambda *_, **__: None)
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        cli("classify", source, "--to", out)
    whole = out.read_bytes()
    (tmp_path / "out.jsonl.partial" / "00000001.jsonl").unlink()
    out.unlink()
    cli("classify", source, "--to", out)
    assert out.read_bytes() == whole


def test_a_second_run_leaves_the_rejects_of_the_first(trained: Path, tmp_path: Path) -> None:
    cli, out = Cli(trained), tmp_path / "out.jsonl"
    source = write_jsonl(tmp_path / "ads.jsonl", {"id": "bad"}, *ads(5_000))
    with start(cli, source, "--to", out) as process:
        wait_for_pieces(tmp_path / "out.jsonl.partial", 1)
        assert "wait until it has ended" in cli.error("classify", source, "--to", out)
        assert (tmp_path / "out.jsonl.rejects.jsonl").exists()
        process.kill()
