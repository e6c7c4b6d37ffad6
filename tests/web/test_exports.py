"""The page of exports: made in the background, listed, downloaded, and refused in one line."""

import hashlib
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from fastapi import FastAPI

from biasloop.reports.export.finished import finished_exports
from biasloop.service.service import Service
from biasloop.web import export_runner
from biasloop.web.app import create_app
from biasloop.web.download import zip_export
from biasloop.web.server import WebServer
from support.audited_pool import audit, import_waiters
from support.workspaces import CopyBare

PATIENCE = 120
"""Seconds after which a test gives up; never a measure of anything."""


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Service]:
    service = Service(copy_bare(tmp_path / "w", "job_ads_en"))
    yield service
    service.close()


@pytest.fixture
def filled(service: Service, tmp_path: Path) -> Service:
    import_waiters(service, tmp_path)
    audit(service, 60)
    return service


@pytest.fixture
def app(service: Service) -> Iterator[FastAPI]:
    app = create_app(service, lambda: None)
    yield app
    app.state.export_runner.stop()


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    """A browser without scripts."""
    server = WebServer(app, "127.0.0.1", 0)
    server.start()
    with httpx.Client(
        base_url=server.url, headers={"Accept": "text/html"}, follow_redirects=True, timeout=60
    ) as client:
        yield client
    server.stop()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Exports wait, after they have read some items, until this is set."""
    let_go, write = threading.Event(), export_runner.write_export

    def waiting(*arguments: Any, progress: Callable[[int], None], **more: Any) -> Any:
        def wait(rows: int) -> None:
            progress(rows // 2)
            let_go.wait(PATIENCE)
            progress(rows)

        return write(*arguments, progress=wait, **more)

    monkeypatch.setattr(export_runner, "write_export", waiting)
    yield let_go
    let_go.set()


def export(app: FastAPI, client: httpx.Client, **form: str) -> Path:
    """Sends the form and returns the folder that was written."""
    assert client.post("/exports", data=form).status_code == 200
    run = finish(app)
    assert run.error is None
    return Path(finished_exports(folder_of(app, client))[0].folder)


def finish(app: FastAPI) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not app.state.export_runner.run.over:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return app.state.export_runner.run


def folder_of(app: FastAPI, client: httpx.Client) -> Path:
    found = re.search(
        r'In the folder <code class="text">([^<]*)</code>', client.get("/exports").text
    )
    assert found
    return Path(found[1])


def test_an_empty_workspace_says_what_to_do_next(client: httpx.Client) -> None:
    text = client.get("/exports").text
    assert "biasloop import FILE" in text
    assert "There is none yet" in text
    assert 'method="post"' not in text
    assert 'href="/exports"' in client.get("/annotators").text


def test_what_is_exported_is_listed_and_downloaded(
    filled: Service, app: FastAPI, client: httpx.Client
) -> None:
    folder = export(app, client, format="csv", separator=";")
    assert folder.parent == filled.layout.exports.resolve()
    items = pd.read_csv(folder / "items.csv", sep=";")
    assert len(items) == 160
    text = client.get("/exports").text
    assert "The export is written" in text
    assert f'href="/exports/{folder.name}"' in text
    assert "160 items, " in text
    page = client.get(f"/exports/{folder.name}").text
    assert "probability over all rounds with which the item was" in page  # the dictionary
    assert "pretty_name" not in page  # for Hugging Face alone
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    for checksum, _, name in (line.partition("  ") for line in sums):
        assert f"<code>{checksum}</code>" in page
        answer = client.get(f"/exports/{folder.name}/files/{name}")
        assert hashlib.sha256(answer.content).hexdigest() == checksum
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
    answer = client.get(f"/exports/{folder.name}/zip")
    assert f"{folder.name}.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {name.partition("/")[0] for name in archive.namelist()} == {folder.name}
        inside = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert inside == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_filters_and_parts_are_those_of_the_command(
    filled: Service, app: FastAPI, client: httpx.Client
) -> None:
    form = {"label:gender": "on", "split": "audit", "column": "sector", "value": "hotel"}
    folder = export(app, client, **form)
    items = pd.read_parquet(folder / "items.parquet")
    assert set(items["split"]) == {"audit"}
    assert set(items["sector"]) == {"hotel"}
    assert all("gender" in labels for labels in items["labels"])
    record = json.loads((folder / "export.json").read_text())
    for option in ("--label gender", "--split audit", "--where sector=hotel"):
        assert option in record["command"]
    assert record["masked"] is not None
    whole = export(app, client, part="all", origin="real")
    assert len(pd.read_parquet(whole / "items.parquet")) == len(filled.pool)
    kept = export(app, client, keep_personal="on", format="jsonl")
    assert json.loads((kept / "export.json").read_text())["masked"] is None
    assert '<span class="badge waits">kept</span>' in client.get("/exports").text
    assert len({folder, whole, kept}) == 3  # nothing was replaced


def test_errors_are_one_line_and_keep_the_form(
    filled: Service, app: FastAPI, client: httpx.Client
) -> None:
    for form, message in (
        ({"format": "pdf"}, "no format &#39;pdf&#39;; known: csv"),
        ({"part": "half"}, "no part of the pool &#39;half&#39;"),
        ({"format": "csv", "separator": "#"}, "no separator"),
        ({"column": "sector"}, "choose a column and enter the value"),
        ({"value": "hotel"}, "choose a column and enter the value"),
    ):
        answer = client.post("/exports", data={**form, "split": "audit"})
        assert answer.status_code == 422
        assert message in answer.text
        assert '<option value="audit" selected>' in answer.text
    for form, message in (
        ({"column": "colour", "value": "red"}, "no column of the input &#39;colour&#39;; known:"),
        ({"label:nonsense": "on"}, "no label &#39;nonsense&#39;"),
        ({"origin": "mars"}, "no origin &#39;mars&#39;"),
    ):
        client.post("/exports", data=form)
        assert finish(app).error
        text = client.get("/exports").text
        assert "The export could not be written" in text
        assert message in text
    assert finished_exports(filled.layout.exports) == []
    assert not list(filled.layout.exports.glob("*"))


def test_one_at_a_time_and_the_service_answers_meanwhile(
    filled: Service, app: FastAPI, client: httpx.Client, held: threading.Event
) -> None:
    first = client.post("/exports", data={"format": "csv"})
    assert "An export is being written" in first.text
    second = client.post("/exports", data={"format": "jsonl"})
    assert second.status_code == 422
    assert "an export is already running; wait until it has finished" in second.text
    deadline = time.monotonic() + PATIENCE
    while "500 of 1,000 items read" not in client.get("/exports").text:
        assert time.monotonic() < deadline
    assert client.get("/health").is_success
    assert "There is none yet" in client.get("/exports").text  # half an export is none
    held.set()
    assert finish(app).result
    (only,) = finished_exports(filled.layout.exports)
    assert only.find("items.csv")


def test_a_service_that_stops_leaves_no_export(
    filled: Service, app: FastAPI, client: httpx.Client, held: threading.Event
) -> None:
    client.post("/exports", data={})
    stopping = threading.Thread(target=app.state.export_runner.stop)
    stopping.start()
    time.sleep(0.1)
    held.set()
    stopping.join(PATIENCE)
    assert app.state.export_runner.run.error == "the service was stopped; run it again"
    assert not list(filled.layout.exports.glob("*"))


def test_another_site_starts_none(filled: Service, app: FastAPI, client: httpx.Client) -> None:
    answer = client.post("/exports", data={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert app.state.export_runner.run is None


def test_nothing_but_the_files_of_exports_is_given_out(
    filled: Service, app: FastAPI, client: httpx.Client
) -> None:
    folder = export(app, client)
    (folder / "private.txt").write_text("not listed")
    (folder.parent / "loose.txt").write_text("no export")
    (folder.parent / "linked").symlink_to(folder)
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "export.json").write_text("{")
    name = folder.name
    for path in (
        f"{name}/files/private.txt",
        f"{name}/files/../../secrets",
        f"{name}/files/%2e%2e/%2e%2e/secrets",
        f"{name}/files/..%2f..%2fsecrets",
        f"{name}/files//etc/passwd",
        f"{name}/files/%00",
        "..%2f/zip",
        "%2e%2e/zip",
        "loose.txt/zip",
        "linked/zip",
        "linked",
        "other",
        "nothing",
    ):
        assert client.get(f"/exports/{path}").status_code == 404, path
    # somebody changed an export, so that it lists what lies outside it
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  ../../secrets\n{'0' * 64}  /etc/passwd\n{'0' * 64}  link\n")
    (folder / "link").symlink_to("/etc/passwd")
    page = client.get(f"/exports/{name}").text
    assert "secrets" not in page.partition("README.md</a>")[0]
    assert client.get(f"/exports/{name}/files/link").status_code == 404
    assert client.get(f"/exports/{name}/files/..%2f..%2fsecrets").status_code == 404
    (ours,) = (each for each in finished_exports(folder.parent) if each.name == name)
    assert not {"link", "/etc/passwd", "../../secrets"} & {file.name for file in ours.files}


def test_an_archive_is_made_block_by_block(
    tmp_path: Path, filled: Service, app: FastAPI, client: httpx.Client
) -> None:
    folder = export(app, client)
    big = folder / "items.parquet"
    with big.open("wb") as file:
        for n in range(40):
            file.write(hashlib.shake_256(bytes([n])).digest(1 << 20))
    (made,) = finished_exports(folder.parent)
    sizes, content = [], tmp_path / "all.zip"
    with content.open("wb") as file:
        for part in zip_export(made):
            sizes.append(len(part))
            file.write(part)
    assert max(sizes) < 4 << 20 < 40 << 20 < sum(sizes)
    with zipfile.ZipFile(content) as archive:
        whole = archive.read(f"{folder.name}/items.parquet")
    assert whole == big.read_bytes()
