"""`biasloop autolabel`: what the machine labels, where it appears, and where it never does."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from biasloop.cli.context import WORKSPACE
from biasloop.cli.main import app
from biasloop.domain.model import ModelVersion
from biasloop.errors import ConfigError, DataError
from biasloop.intake.rows import Row, read_rows
from biasloop.reports.prevalence import report as prevalence
from biasloop.rounds.steps.train.data import training_data
from biasloop.service.autolabel import autolabel
from biasloop.service.backup import make_backup
from biasloop.service.service import Service
from biasloop.service.takedown import take_down
from biasloop.store.machine_labels import Bound, MachineLabels, MachineLabelStore
from biasloop.workspace.layout import Layout
from support.annotations import AT, vote
from support.audited_pool import audit, import_waiters, is_waiter
from support.workspaces import CopyBare

AUDITED, RISK = 160, "0.15"
"""Of some 185 items in 37 ads."""


@pytest.fixture
def service(
    tmp_path: Path, copy_bare: CopyBare, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    folder = copy_bare(tmp_path / "w", "job_ads_en")
    monkeypatch.setenv(WORKSPACE, str(folder))
    monkeypatch.setenv("COLUMNS", "160")
    service = Service(folder)
    import_waiters(service, folder)
    yield service
    service.close()


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0
    return " ".join(done.stdout.split())


def label_gender(*more: str) -> dict[str, Any]:
    (done,) = json.loads(run("autolabel", "--label", "gender", "--risk", RISK, "--json", *more))
    return dict(done)


def export_items(to: Path, *more: str) -> list[dict[str, Any]]:
    run("export", "--to", str(to), "--keep-personal", *more)
    rows: list[dict[str, Any]] = pq.read_table(to / "items.parquet").to_pylist()
    return rows


def training(service: Service) -> pd.DataFrame:
    """What the next model learns from."""
    annotations, scheme = service.ledger.annotations(), service.campaign.scheme
    return training_data(service.pool, annotations, scheme, constructed_weight=0)


def test_the_sure_part_of_the_pool_is_labelled_and_the_rest_left(service: Service) -> None:
    audit(service, AUDITED)
    done = label_gender()
    assert done["bound"]["risk"] == 0.15
    assert done["bound"]["delta"] == 0.1
    assert done["bound"]["model"] == "m1"
    assert done["audited"] == AUDITED
    assert done["machine"] + done["labelled"] + done["left"] == done["items"] == len(service.pool)
    assert done["machine"] > len(service.pool) / 2
    (labels,) = MachineLabelStore(service.layout.machine_labels).all()
    rows = service.pool.rows_of(labels.table["item_id"].to_pylist())
    wrong = labels.table["has"].to_numpy() != is_waiter(service)[rows]
    assert wrong.mean() <= 0.15
    assert not set(labels.table["item_id"].to_pylist()) & {
        annotation.item_id for annotation in service.ledger.annotations()
    }
    again = label_gender()
    assert again == done
    text = run("autolabel", "--label", "gender", "--risk", RISK)
    assert "left to people" in text
    assert "with a chance of 90%" in text


def test_it_never_teaches_and_no_figure_counts_it(service: Service) -> None:
    audit(service, AUDITED)
    annotations, shares, learned = (
        service.ledger.annotations(),
        prevalence(service),
        training(service),
    )
    assert len(learned)
    assert label_gender()["machine"]
    assert service.ledger.annotations() == annotations
    assert prevalence(service) == shares
    pd.testing.assert_frame_equal(training(service), learned)


def test_exports_say_that_it_was_the_machine_and_people_win(
    service: Service, tmp_path: Path
) -> None:
    audit(service, AUDITED)
    before = {row["item_id"]: row for row in export_items(tmp_path / "before")}
    done = label_gender()
    items = export_items(tmp_path / "e")
    machine = [row for row in items if row["label_source"] == "machine"]
    assert len(machine) == done["machine"]
    assert [row for row in items if row["label_source"] != "machine"] == list(before.values())
    for row in machine:
        bound = json.loads(row["bound"])["gender"]
        assert (bound["risk"], bound["delta"], bound["model"]) == (0.15, 0.1, "m1")
        assert bound["older_model"] is False
        assert row["asked"] == ["gender"]
        assert row["labels"] in ([], ["gender"])
        assert row["votes"] is None
    assert export_items(tmp_path / "f", "--label-source", "machine") == machine
    assert "nobody labelled it" in (tmp_path / "e" / "README.md").read_text("utf-8")

    item_id = machine[0]["item_id"]
    service.ledger.record([vote(item_id, "inclusive", asked=service.campaign.scheme.labels)])
    by_id = {row["item_id"]: row for row in export_items(tmp_path / "g")}
    assert by_id[item_id]["label_source"] == "human"
    assert by_id[item_id]["bound"] is None


def test_an_export_that_is_imported_brings_no_machine_labels_back(
    service: Service, tmp_path: Path
) -> None:
    audit(service, AUDITED)
    label_gender()
    export_items(tmp_path / "e", "--label-source", "machine")
    rows = [row for row in read_rows(tmp_path / "e" / "items.parquet") if isinstance(row, Row)]
    assert rows
    assert all(row.labels is None for row in rows)


@pytest.mark.parametrize(
    ("audited", "risk", "advice"),
    [
        (20, 0.15, r"it would take about \d+; go on labelling"),
        (AUDITED, 0.01, r"of 37 audit ads at most, and it would take about 300; import more ads"),
    ],
)
def test_it_is_refused_in_one_line(
    service: Service, audited: int, risk: float, advice: str
) -> None:
    audit(service, audited)
    with pytest.raises(DataError, match=f"{audited} audit labels cannot show.*{advice}") as refused:
        autolabel(service, "gender", risk, 0.1)
    assert "\n" not in str(refused.value)
    assert not service.layout.machine_labels.exists()


def test_without_a_model_it_says_so(service: Service) -> None:
    with pytest.raises(DataError, match="no round has scored the pool"):
        autolabel(service, "gender", 0.05, 0.1)


def test_a_newer_model_makes_it_old_and_drop_takes_it_back(
    service: Service, tmp_path: Path
) -> None:
    audit(service, AUDITED)
    label_gender()
    assert "older" not in run("status")
    labels = list(service.campaign.scheme.labels)
    service.ledger.add([ModelVersion("m2", "tfidf", 1, "models/m2", {"labels": labels}, ())], AT)
    assert "by an older model" in run("status")
    assert "m1 (older)" in run("autolabel")
    (row, *_) = export_items(tmp_path / "e", "--label-source", "machine")
    assert json.loads(row["bound"])["gender"]["older_model"] is True
    assert "taken back: gender" in run("autolabel", "--drop")
    assert "nothing is labelled by machine" in run("autolabel")
    assert export_items(tmp_path / "f", "--label-source", "machine") == []


def test_a_takedown_drops_the_items_of_the_ad_from_the_backup_too(
    service: Service, tmp_path: Path
) -> None:
    audit(service, AUDITED)
    label_gender()
    make_backup(service, tmp_path / "backup", lambda _: None)
    folders = [service.layout.machine_labels, Layout(tmp_path / "backup").machine_labels]
    (labels,) = MachineLabelStore(service.layout.machine_labels).all()
    item_id = labels.table["item_id"][0].as_py()
    (item,) = service.pool.items(service.pool.rows_of([item_id]))
    assert item.ad_id
    gone = set(take_down(service, item.ad_id).items)
    left = [i for i in labels.table["item_id"].to_pylist() if i not in gone]
    assert item_id in gone
    for folder in folders:
        (after,) = MachineLabelStore(folder).all()
        assert after.table["item_id"].to_pylist() == left
        assert after.bound == labels.bound
        assert item_id.encode() not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_two_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    store = MachineLabelStore(tmp_path / "m")
    sizes = (1_000, 2_000)

    def write(n: int) -> None:
        bound = Bound("a/b", 0.05, 0.1, 0.9, f"m{n}", n, 0)
        for _ in range(20):
            store.write(
                MachineLabels.from_items(bound, [f"i{k}" for k in range(n)], np.ones(n, bool))
            )

    threads = [threading.Thread(target=write, args=(n,)) for n in sizes]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for labels in store.all():
            assert len(labels.table) == labels.bound.kept
    (path,) = (tmp_path / "m").iterdir()
    assert path.name == "a%2Fb.parquet"


def test_what_is_wrong_in_the_command_is_said(service: Service) -> None:
    for arguments, message in (
        (["--risk", "0.5"], "--risk is a share"),
        (["--delta", "0"], "--delta is a chance"),
        (["--label", "nothing"], "no label nothing"),
    ):
        done = CliRunner().invoke(app, ["autolabel", *arguments])
        assert isinstance(done.exception, ConfigError)
        assert message in str(done.exception)
