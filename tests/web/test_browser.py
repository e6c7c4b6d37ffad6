"""The page in a real Chromium: curve, rounds, local times, a refresh that changes only what
changed, and not one error on the console."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from biasloop.service.service import Service


@pytest.fixture
def context(chromium: Browser) -> BrowserContext:
    return chromium.new_context(timezone_id="Asia/Tokyo", locale="it-IT")


@pytest.fixture
def page(context: BrowserContext, url: str) -> Iterator[Page]:
    """A page that must stay without errors and without requests to elsewhere."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(url) else wrong.append(r.url))
    yield page
    assert wrong == []


def test_curve_and_rounds(page: Page, url: str, campaign) -> None:
    campaign.whole()
    page.goto(url)
    expect(page.locator("#curve .point")).to_have_count(4)
    expect(page.locator("section:has(#rounds-title) tbody tr")).to_have_count(6)
    page.locator("#curve .point").last.hover(force=True)
    expect(page.locator("#curve .hoverlayer")).to_contain_text("80 human labels, n = 300")
    expect(page.locator("#savings .point")).to_have_count(16)
    expect(page.locator("#savings .legendtext")).to_have_text(["acquired", "random"])
    opened = campaign.ledger.rounds.get(0).opened_at
    shown = page.locator("section:has(#rounds-title) tbody tr").last.locator("time").first
    hour = (opened.hour + 9) % 24
    expect(shown).to_contain_text(f"{hour:02d}:{opened.minute:02d}")
    expect(shown).to_have_attribute("title", f"{opened:%Y-%m-%d %H:%M} UTC")


def test_news_come_without_a_reload(page: Page, url: str, campaign) -> None:
    campaign.fill_pool()
    number = campaign.push_round()
    campaign.annotate(number)
    campaign.close_round(number)
    page.goto(url)
    page.locator("#events summary").click()
    page.evaluate("document.getElementById('curve').sameNode = 'yes'")
    expect(page.locator("#curve .point")).to_have_count(1)
    number = campaign.push_round()
    campaign.annotate(number)
    campaign.close_round(number)
    expect(page.locator("#curve .point")).to_have_count(2, timeout=30_000)
    assert page.evaluate("document.getElementById('curve').sameNode") == "yes"
    expect(page.locator("#events table")).to_be_visible()


def test_it_heals_after_an_error(
    context: BrowserContext, url: str, service: Service, campaign
) -> None:
    campaign.whole()
    settings = service.layout.folder / "campaign" / "campaign.toml"
    kept = settings.read_text("utf-8")
    settings.write_text("broken", "utf-8")
    service.__dict__.pop("campaign", None)
    page = context.new_page()
    page.goto(url)
    expect(page.locator("main")).to_contain_text("is not valid TOML")
    settings.write_text(kept, "utf-8")
    expect(page.locator("#curve .point")).to_have_count(4, timeout=30_000)


def test_it_works_without_javascript(chromium: Browser, url: str, campaign) -> None:
    campaign.whole()
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto(url)
    expect(page.locator("section:has(#rounds-title) tbody tr")).to_have_count(6)
    expect(page.locator("main")).to_contain_text("UTC")
