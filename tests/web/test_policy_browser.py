"""A draft is written, tried and talked about in a real Chromium, whose forms our server trusts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from biasloop.service.service import Service
from biasloop.web.app import create_app
from biasloop.web.server import WebServer
from support.llm_model import RULE, by_guideline
from support.llm_server import LlmServer, structured
from support.llm_workspaces import NOW, point_to
from support.workspaces import CopyBare


@pytest.fixture
def url(tmp_path: Path, copy_bare: CopyBare) -> Iterator[str]:
    folder = copy_bare(tmp_path / "workspace", "job_ads_it")
    with LlmServer(structured(by_guideline)).listening() as model:
        service = Service(point_to(folder, model.url))
        service.ledger.policies.add(service.campaign.policy, NOW)
        app = create_app(service, lambda: None)
        server = WebServer(app, "127.0.0.1", 0)
        server.start()
        yield server.url
        app.state.runner.stop()
        server.stop()
        service.ledger.close()


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


def test_a_draft_is_tried_and_talked_about(page: Page, url: str) -> None:
    page.goto(f"{url}/policy")
    text = page.input_value("#draft")
    page.fill("#draft", f"{text}\n{RULE}\n")
    page.fill("#scenarios", "Cercasi un cuoco.\nCercasi personale.")
    page.fill("#by", "Rita")
    page.locator("#by").blur()
    page.evaluate("refresh()")  # as it does by itself every few seconds
    assert RULE in page.input_value("#draft")
    page.get_by_role("button", name="Try it").click()
    changed = page.locator("article.changes")
    expect(changed).to_have_count(1, timeout=60_000)
    expect(changed).to_contain_text("1. Cercasi un cuoco.")
    expect(changed.locator(".judgement .badge")).to_have_text(["gender", "inclusive"])
    expect(page.locator("#same summary").first).to_contain_text("1 scenario stays as it is")
    changed.locator("summary").click()
    changed.locator("textarea").fill("Perché <b>no</b>?")
    changed.locator("input[name=by]").fill("Ugo")
    changed.get_by_role("button").click()
    expect(page.locator("article.changes .comment")).to_contain_text("Perché <b>no</b>?")
    assert page.url.endswith("#s1")
