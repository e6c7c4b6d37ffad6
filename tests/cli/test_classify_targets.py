"""Which files `classify` replaces: the one that is named, and only when asked."""

import os
from pathlib import Path
from typing import Any

import pytest

from biasloop.reports import classify_file
from support.cli import Cli, write_jsonl

ADS = ({"id": "ad-1", "text": "Cerchiamo un barista a Lecco."}, {"id": "ad-2", "text": "Ciao."})


def test_a_file_that_appears_meanwhile_is_not_replaced(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli, out = Cli(trained), tmp_path / "out.csv"
    source = write_jsonl(tmp_path / "ads.jsonl", *ADS)
    written = classify_file.write_verdicts

    def write_slowly(*arguments: Any) -> Path:
        out.write_text("mine")
        return written(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(classify_file, "write_verdicts", write_slowly)
        assert "replace it with --force" in cli.error("classify", source, "--to", out)
    assert out.read_text() == "mine"
    cli("classify", source, "--to", out, "--force")
    assert out.read_text().count("\n") == len(ADS) + 1


def test_what_is_read_is_never_written(trained: Path, tmp_path: Path) -> None:
    cli = Cli(trained)
    (tmp_path / "in").mkdir()
    source = write_jsonl(tmp_path / "in" / "ads.jsonl", *ADS)
    before = source.read_bytes()
    for what, to in (
        (source, source),
        (source.parent, source.parent / "out.csv"),
        (source.rename(source.with_name("x.csv.rejects.jsonl")), source.parent / "x.csv"),
    ):
        told = cli.error("classify", what, "--to", to, "--format", "csv", "--force")
        assert "choose another place" in told
    source = tmp_path / "in" / "x.csv.rejects.jsonl"
    assert "choose another place" in cli.error("classify", source, "--report", source, "--force")
    assert source.read_bytes() == before
    assert list(source.parent.iterdir()) == [source]


def test_only_an_ordinary_file_is_replaced(trained: Path, tmp_path: Path) -> None:
    cli, pipe = Cli(trained), tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("."), Path("/")):
        told = cli.error("classify", "Ciao.", "--to", path, "--format", "csv", "--force")
        assert "is no ordinary file" in told
    assert "no ordinary file" in cli.error("classify", "Ciao.", "--report", pipe, "--force")
    assert pipe.is_fifo()
