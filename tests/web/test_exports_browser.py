"""The corpus is exported and downloaded in a real Chromium."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from biasloop.service.service import Service
from biasloop.web.app import create_app
from biasloop.web.server import WebServer
from support.audited_pool import audit, import_waiters
from support.workspaces import CopyBare


@pytest.fixture
def url(tmp_path: Path, copy_bare: CopyBare) -> Iterator[str]:
    service = Service(copy_bare(tmp_path / "workspace", "job_ads_en"))
    import_waiters(service, tmp_path)
    audit(service, 60)
    app = create_app(service, lambda: None)
    server = WebServer(app, "127.0.0.1", 0)
    server.start()
    yield server.url
    app.state.export_runner.stop()
    server.stop()
    service.close()


@pytest.fixture
def page(chromium: Browser, url: str) -> Iterator[Page]:
    """A page that must stay without errors."""
    errors: list[str] = []
    page = chromium.new_page()
    page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else 0)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(60_000)
    yield page
    page.close()
    assert errors == []


def test_an_export_is_chosen_written_and_downloaded(page: Page, url: str, tmp_path: Path) -> None:
    page.goto(f"{url}/exports")
    page.get_by_label("Format").select_option("csv")
    page.get_by_label("gender", exact=True).check()
    page.get_by_label("Split").select_option("audit")
    page.evaluate("refresh()")  # as it does by itself every few seconds
    expect(page.get_by_label("Format")).to_have_value("csv")
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_text("The export is written")).to_be_visible(timeout=60_000)
    expect(page.get_by_label("Split")).to_have_value("")
    page.get_by_role("status").get_by_role("link").click()
    expect(page.get_by_role("heading", name="Export 2")).to_be_visible()
    expect(page.locator(".readme")).to_contain_text("gender")
    with page.expect_download() as started:
        page.get_by_role("link", name="All files as ZIP").click()
    archive = tmp_path / "download.zip"
    started.value.save_as(archive)
    with zipfile.ZipFile(archive) as files:
        (name,) = (name for name in files.namelist() if name.endswith("items.csv"))
        with files.open(name) as table:
            items = pd.read_csv(table)
    assert set(items["split"]) == {"audit"}
    assert set(items["labels"]) == {"gender"}
