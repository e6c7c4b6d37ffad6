"""The page of items that need a second look: over HTTP, and in a real Chromium."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from biasloop.domain.annotation import Annotation
from biasloop.domain.item import Item
from biasloop.domain.label import LabelSource
from biasloop.domain.policy import Policy
from biasloop.domain.split import Split
from biasloop.service.service import Service
from biasloop.web.forms import MAX_FORM_BYTES
from support.annotations import AT, vote
from support.scored_pool import score_pool

SPAN = {
    "type": "labels",
    "from_name": "span",
    "value": {"start": 0, "end": 8, "labels": ["gender"]},
}
REWRITE = {
    "type": "textarea",
    "from_name": "rewrite",
    "value": {"text": ["Cercasi <b>persone</b>."]},
}
GUIDELINE = (
    "# Guida\n\n## 1. `gender`: il genere\n\n| forma | decisione |\n| --- | --- |\n"
    "| «OPERAIO» | `gender` |\n\n<script>alert(1)</script>\n\n## 2. `age`: età\n\nUn'età."
)


@pytest.fixture
def items(service: Service, campaign: Any) -> list[Item]:
    """Two items, a train and an audit one, about which Anna and Bea differ."""
    service.ledger.policies.add(Policy(GUIDELINE, service.campaign.hints), AT)
    pool = campaign.fill_pool()
    found = [next(i for i in pool if i.split is split) for split in (Split.TRAIN, Split.AUDIT)]
    for number, item in enumerate(found):
        say(service, 2 * number + 1, item, "anna", "gender", result=[SPAN, REWRITE])
        say(service, 2 * number + 2, item, "bea", "inclusive")
    return found


def say(
    service: Service, number: int, item: Item, who: str, *labels: str, result: Any = ()
) -> None:
    facts = {
        "key": f"ls:{number}",
        "task_id": number,
        "asked": service.campaign.scheme.labels,
        "policy_id": service.current_policy.id,
        "extra": {"result": result} if result else {},
    }
    service.ledger.record([vote(item.id, *labels, annotator=f"{who}@example.org", **facts)])


def decided(service: Service) -> list[Annotation]:
    return [a for a in service.ledger.annotations() if a.source is LabelSource.ADJUDICATED]


def form(item: Item, *labels: str, **fields: str) -> dict[str, str]:
    chosen = {f"label:{label}": "on" for label in labels}
    return {"item": item.id, "by": "Rita", "reason": "«Operaio» è maschile."} | chosen | fields


def test_without_disputes_the_page_says_so(get: Callable[..., httpx.Response]) -> None:
    assert "There is nothing to decide" in get("/disputed").text
    assert 'href="/disputed"' in get("/").text


def test_what_cannot_be_decided_is_said_and_nothing_typed_is_lost(
    url: str, service: Service, items: list[Item]
) -> None:
    both = form(items[0], "gender", "inclusive", reason="Non <so>.")
    answer = httpx.post(f"{url}/disputed", data=both)
    assert answer.status_code == 422
    assert "the negative label together with another" in answer.text
    assert "Non &lt;so&gt;.</textarea>" in answer.text
    assert answer.text.count(" checked") == 2
    assert httpx.post(f"{url}/disputed", data=form(items[0])).status_code == 422
    nowhere = httpx.post(f"{url}/disputed", data=form(items[0], "gender") | {"item": "nowhere"})
    assert nowhere.status_code == 422
    assert decided(service) == []


def test_other_sites_and_huge_forms_decide_nothing(
    url: str, service: Service, items: list[Item]
) -> None:
    sent = form(items[0], "gender")
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert httpx.post(f"{url}/disputed", data=sent, headers=foreign).status_code == 403
    huge = sent | {"reason": "x" * MAX_FORM_BYTES}
    assert httpx.post(f"{url}/disputed", data=huge).status_code == 413
    assert decided(service) == []
    assert httpx.post(f"{url}/disputed", data=sent).status_code == 303
    assert [fact.labels for fact in decided(service)] == [("gender",)]


@pytest.fixture
def page(chromium: Browser, url: str) -> Iterator[Page]:
    """A page that must stay without errors and without requests to elsewhere."""
    page = chromium.new_page(viewport={"width": 1100, "height": 900})
    wrong: list[str] = []
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(url) else wrong.append(r.url))
    yield page
    page.close()
    assert wrong == []


def test_somebody_decides_on_the_page(
    page: Page, url: str, service: Service, items: list[Item], tmp_path: Path
) -> None:
    train, audit = items
    score_pool(service, "gender", AT)
    page.goto(url)
    page.get_by_role("link", name="Second look").click()
    case = page.locator(f"#i{audit.id}")
    expect(case.locator("tbody th")).to_have_text(["A1", "A2"])
    expect(case).to_contain_text("Cercasi <b>persone</b>.")
    expect(case).to_contain_text("its verdict is shown after the decision")
    expect(case).not_to_contain_text("The model says")
    expect(page.locator(f"#i{train.id}")).to_contain_text("The model says gender gender 0.75")
    case.locator("summary", has_text="The rule of gender").click()
    expect(case.locator(".rule table")).to_contain_text("OPERAIO")
    assert "example.org" not in page.content()
    case.get_by_label("gender", exact=True).check()
    page.evaluate("refresh()")  # as it does by itself every few seconds
    expect(case.get_by_label("gender", exact=True)).to_be_checked()
    case.get_by_label("The reason").fill("«Operaio» è <b>maschile</b>.")
    case.get_by_label("Your name").fill("Rita")
    page.screenshot(path=tmp_path / "open.png", full_page=True)
    case.get_by_role("button", name="Decide").click()
    expect(page.locator("#decided-title")).to_have_text("Decided: 1")
    expect(case).to_contain_text("Rita decided")
    expect(case).to_contain_text("The model says gender")
    expect(case.locator(".comment")).to_have_text("«Operaio» è <b>maschile</b>.")
    expect(page.locator("#open-title")).to_have_text("To decide: 1")
    (fact,) = decided(service)
    assert (fact.item_id, fact.annotator, fact.labels) == (audit.id, "Rita", ("gender",))
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=tmp_path / "decided.png", full_page=True)
