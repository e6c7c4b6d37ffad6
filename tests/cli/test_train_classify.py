"""An engineer trains, chooses models, and classifies."""

import io
import json
import os
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.service import models
from biasloop.service.service import Service
from support.cli import SEEDS, Cli, write_jsonl
from support.small import draw_texts, make_campaign, make_small_workspace
from support.workspaces import AD

LABELS = {
    "gender", "gender_others", "age", "origin", "disability", "family", "religion", "orientation",
    "appearance", "opinions",
}  # fmt: skip


def classified(cli: Cli, what: object, stdin: str = "") -> list[dict[str, Any]]:
    return [json.loads(line) for line in cli("classify", what, stdin=stdin).splitlines()]


def test_without_a_model_each_command_says_how_to_get_one(cli: Cli) -> None:
    for command in (["classify", "Ciao"], ["export", "--verdicts"]):
        assert "`biasloop train` makes one" in cli.error(*command)
    assert "biasloop train" in cli("models", "list")
    assert "no earlier model" in cli.error("models", "rollback")
    assert cli.json("models", "list") == []


def test_the_newest_model_serves_until_a_person_says_otherwise(cli_with_model: Cli) -> None:
    cli = cli_with_model
    told = cli.json("train")
    assert told["card"]["rows"]["seed"] == SEEDS
    assert set(told["card"]["out_of_fold"]["labels"]) == LABELS
    first, second = cli.json("models", "list")
    assert second["model"] == told["model"]
    assert (first["in service"], second["in service"]) == ("", "yes")
    listed = cli("models", "list")
    assert f"{first['model']} " in listed  # whole, to copy
    cli("models", "promote", first["model"])
    assert cli.json("status")["model_in_service"] == first["model"]
    cli("models", "rollback")
    assert cli.json("status")["model_in_service"] == second["model"]
    assert first["model"] in cli.error("models", "promote", "m1")


def test_train_without_labels(campaign: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(campaign, tmp_path / "bare"))
    shutil.rmtree(bare / "seeds")
    cli = Cli(tmp_path / "workspace")
    cli("init", cli.workspace, "--campaign", bare)
    assert "nothing to train on" in cli.error("train")


def test_a_failed_training_leaves_no_folder(campaign: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(campaign, tmp_path / "bare"))
    shutil.rmtree(bare / "seeds")
    cli = Cli(tmp_path / "workspace")
    cli("init", cli.workspace, "--campaign", bare)
    (cli.workspace / "work" / "manual-train-t20260101-000000").mkdir(parents=True)  # a former one
    cli.error("train")
    assert not [path for path in (cli.workspace / "work").iterdir() if path.is_dir()]


def test_only_one_training_runs_at_a_time(trained: Path, tmp_path: Path) -> None:
    """Of trainings that begin together one trains; no model is touched by another training."""
    cli = Cli(Path(shutil.copytree(trained, tmp_path / "workspace")))
    before = {row["model"] for row in cli.json("models", "list")}
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: cli.process("train"), range(2)))
    failed = [run for run in runs if run.returncode]
    for run in failed:
        assert "another training is running" in run.stderr
        assert "Traceback" not in run.stderr
    after = {row["model"] for row in cli.json("models", "list")}
    assert len(after - before) == len(runs) - len(failed) >= 1
    for model in after:
        assert (cli.workspace / "models" / model / "head.npz").exists()


def test_a_model_id_is_never_given_twice(trained: Path, tmp_path: Path) -> None:
    """Also when the clock is set back to the second of an earlier training."""
    service = Service(Path(shutil.copytree(trained, tmp_path / "workspace")))
    try:
        (taken,) = [model.id for _, _, model in service.ledger.models.all()]
        at = datetime.strptime(taken, "t%Y%m%d-%H%M%S").replace(tzinfo=UTC)

        class Clock(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:
                return at

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(models, "datetime", Clock)
            model_id = models._new_model_id(service)
        assert model_id == f"t{at + timedelta(seconds=1):%Y%m%d-%H%M%S}"
    finally:
        service.close()


def test_the_verdict_of_a_text_follows_from_its_sentences(trained: Path, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "in.jsonl", AD, {"id": 7, "text": ""}, {"text": "\n•  \n"})
    whole, empty, blank = classified(Cli(trained), file)
    assert set(whole) == {"id", "title", "labels", "flagged", "thresholds", "sentences", "columns"}
    assert [whole["id"], empty["id"], blank["id"]] == [AD["id"], 7, 3]
    assert set(whole["labels"]) == LABELS
    cut = [AD["text"][found["start"] : found["end"]] for found in whole["sentences"]]
    assert [s.lstrip("🙂 ") for s in cut] == [
        "Cerchiamo un barista a Lecco.",
        "Orario serale.",
        "Età massima: 30 anni.",
        "Perché?",
    ]
    for found in whole["sentences"]:
        assert set(found) == {"start", "end", "text", "labels", "flagged", "evidence"}
        assert set(found["flagged"]) <= LABELS
        for words in found["evidence"]:
            assert AD["text"][words["start"] : words["end"]] == words["text"]
            assert words["label"] in found["flagged"]
            assert found["start"] <= words["start"] < words["end"] <= found["end"]
    for label in LABELS:
        found = [sentence["labels"][label] for sentence in whole["sentences"]]
        assert whole["labels"][label] == max(found)
        said = [label in sentence["flagged"] for sentence in whole["sentences"]]
        assert (label in whole["flagged"]) == any(said)
    for nothing in (empty, blank):
        assert nothing["sentences"] == nothing["flagged"] == []
        assert set(nothing["labels"].values()) == {0.0}


def test_a_text_is_cut_as_its_import_cuts_it(trained: Path, tmp_path: Path) -> None:
    """Also in another language than the campaign's."""
    text = "Additional qualifications:\nWe seek\na cook with a car.\nCompetenze richieste:\nGuida."
    ads = [{"id": f"of {tag}", "language": tag, "text": text} for tag in ("en", "it", "de", "")]
    file = write_jsonl(tmp_path / "ads.jsonl", *ads)
    cli = Cli(Path(shutil.copytree(trained, tmp_path / "workspace")))
    cli("import", file)
    service = Service(tmp_path / "workspace")
    items = service.pool.items(range(len(service.pool)))
    service.close()
    cuts = []
    for verdict in classified(cli, file):
        cuts.append([text[s["start"] : s["end"]] for s in verdict["sentences"]])
        assert cuts[-1] == [item.text for item in items if item.ad_id == verdict["id"]]
    assert cuts[0] != cuts[1] != cuts[2] != cuts[3] == cuts[1]


def test_a_text_as_an_argument_and_lines_on_standard_input(trained: Path) -> None:
    cli = Cli(trained)
    odd = '{"id": "\\ud83d", "text": "Cerchiamo \\ud83d una cuoca"}'
    (said,) = classified(cli, AD["text"])
    piped, strange = classified(cli, "-", stdin=f"{json.dumps(AD)}\n\n{odd}\n")
    assert said["sentences"] == piped["sentences"]
    assert strange["id"] == "\ud83d"


@pytest.mark.parametrize(
    "line",
    [b'{"id": "b"', b'["b", "Ciao"]', b'{"id": "b"}', b'{"id": "b", "text": null}', b'"\xff"'],
)
def test_a_bad_line_costs_itself(trained: Path, tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "in.jsonl"
    good = b'{"id": "a", "text": "Ciao."}\n'
    file.write_bytes(good + b"\n" + line + b"\n" + good.replace(b"a", b"c", 1))
    done = Cli(trained).run("classify", file)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr.startswith("rejected: line 3: ")
    file.write_bytes(line)
    done = Cli(trained).run("classify", file)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "rejected: line 1: " in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: there is no text in ")


def test_tables_as_well(trained: Path, tmp_path: Path) -> None:
    cli = Cli(trained)
    ads = pd.DataFrame(
        {"ad_id": [1.0, 2.0], "title": ["=x", None], "text": ["Una cuoca.", "Ciao."]}
    )
    ads.to_csv(tmp_path / "ads.csv", index=False)
    ads.to_parquet(tmp_path / "ads.parquet")
    ads.rename(columns={"text": "corpo"}).to_json(tmp_path / "ads.json", orient="records")
    by_csv = classified(cli, tmp_path / "ads.csv")
    assert [verdict["id"] for verdict in by_csv] == ["1", "2"]
    assert classified(cli, tmp_path / "ads.parquet") == [
        verdict | {"columns": {"ad_id": n}} for n, verdict in enumerate(by_csv, 1)
    ]
    done = cli("classify", tmp_path / "ads.json", "--column", "text=corpo")
    assert [json.loads(line)["sentences"] for line in done.splitlines()] == [
        verdict["sentences"] for verdict in by_csv
    ]
    table = cli("classify", tmp_path / "ads.csv", "--format", "csv")
    read = pd.read_csv(io.StringIO(table), dtype={"id": str})
    assert list(read["id"]) == ["1", "2"]
    assert list(read["p_gender"]) == [verdict["labels"]["gender"] for verdict in by_csv]
    assert {f"p_{label}" for label in LABELS} | {"id", "flagged"} == set(read.columns)
    assert "json or csv" in cli.error("classify", "Ciao", "--format", "xml", code=2)


@pytest.mark.parametrize(
    "name", ["annunci di marzo.csv", "none.jsonl", "ads.pdf", "./annunci", "ads.csv.gz"]
)
def test_a_file_that_is_not_there_is_no_text(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert name.removeprefix("./") in Cli(trained).error("classify", name)


@pytest.mark.parametrize("text", ["operaio/a", "Sviluppatore ASP.NET", "CV in .pdf", "x" * 5000])
def test_a_text_that_looks_a_little_like_a_file(trained: Path, text: str) -> None:
    (verdict,) = classified(Cli(trained), text)
    assert verdict["id"] == "text"


def test_verdicts_stream(trained: Path) -> None:
    """Of 3,000 texts the first verdicts are out before the last text is in, and `head` may leave
    in the middle."""
    cli = Cli(trained)
    lines = [json.dumps(AD | {"id": n}).encode() + b"\n" for n in range(3000)]
    with subprocess.Popen(
        cli.command("classify", "-"),
        env=cli.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        os.write(process.stdin.fileno(), b"".join(lines[:600]))
        for n in range(500):
            assert json.loads(process.stdout.readline())["id"] == n
        process.stdout.close()
        with suppress(BrokenPipeError):  # it may have ended already
            os.write(process.stdin.fileno(), b"".join(lines[600:]))
        process.stdin.close()
        assert process.stderr.read() == b""


def test_standard_output_on_a_full_disk(trained: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = Cli(trained).process(
            "classify", "Ciao.", capture_output=False, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr


def test_an_error_with_standard_output_closed(tmp_path: Path) -> None:
    command = shlex.join(Cli(tmp_path / "nowhere").command("status"))
    done = subprocess.run(
        f"{command} >&-", shell=True, stderr=subprocess.PIPE, encoding="utf-8", check=False
    )
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_random_sample_fits_the_model_to_the_pool_until_it_is_taken_back(tmp_path: Path) -> None:
    def rows(name: str, n: int, positives: int, *, labelled: bool = True) -> Path:
        texts = draw_texts(n, seed=n)
        return write_jsonl(
            tmp_path / f"{name}.jsonl",
            *(
                {"id": f"{name}-{i}", "text": f"{text} uomo" if i < positives else text}
                | ({"labels": ["gender" if i < positives else "none"]} if labelled else {})
                for i, text in enumerate(texts)
            ),
        )

    cli = make_small_workspace(
        tmp_path / "w", make_campaign(tmp_path / "c", "gender", "none", none_label="none")
    )
    cli("import", rows("seeds", 60, 30), rows("pool", 300, 15, labelled=False))
    before = cli.json("train")["card"]
    assert before["random_labels"] == 0
    assert not before["thresholds_for_pool"]
    cli("import", rows("sample", 80, 8), "--random-sample")
    model = cli.json("train")
    after = model["card"]
    assert after["random_labels"] == 80
    in_service = Tfidf.load(tmp_path / "w" / "models" / model["model"]).thresholds
    assert list(after["thresholds"].values()) == in_service.tolist()
    assert after["thresholds_for_pool"]
    assert "thresholds are for the pool; random labels: 80" in cli("train")
    assert after["thresholds"] != before["thresholds"]
    cli("import", tmp_path / "sample.jsonl")  # again, without a word on how it was drawn
    assert cli.json("train")["card"]["random_labels"] == 80

    cli("imports", "undo", "--yes")
    assert cli.json("train")["card"]["random_labels"] == 0
    unlabelled = cli.run("import", rows("more", 5, 1, labelled=False), "--random-sample")
    assert "no row has labels, so --random-sample changes nothing" in unlabelled.stderr
    refused = cli.error(
        "import", tmp_path / "sample.jsonl", "--random-sample", "--label-source", "gold", code=2
    )
    assert "nothing learns from gold" in refused
