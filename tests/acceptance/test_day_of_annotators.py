"""Two people with nothing but a link, each in a browser of their own, through three batches."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource
from biasloop.gateway.rules import RULES, Body, Treatment
from biasloop.gateway.script import phrase_table
from biasloop.service.service import Service
from support.cli import REPOSITORY, Cli, small_campaign
from support.labelling_page import ANSWER, phrases_seen
from support.labelstudio_server import Server
from support.ports import free_port

PATIENCE = 120_000
"""Milliseconds after which the test gives up; never a measure of anything."""
EMPTY = "#label-studio-dm .ant-result-success"
NOT_ASKED = {
    ("DELETE", Body.NONE, Treatment.DRAFT),
    ("POST", Body.DRAFT, Treatment.DRAFT),
    ("PATCH", Body.DRAFT, Treatment.DRAFT),
    ("PATCH", Body.ANNOTATION, Treatment.ANNOTATION),
    ("DELETE", Body.NONE, Treatment.ANNOTATION),
    ("GET", Body.NONE, Treatment.TASK),
}
"""Rules for what these two do not do: come back to an answer. The tests of attacks use them."""


@pytest.fixture(params=[6, pytest.param(40, marks=pytest.mark.heavy)])
def batch(request: pytest.FixtureRequest) -> int:
    """Tasks of a batch; with 40, each of two people answers 60 in three batches."""
    size: int = request.param
    return size


@pytest.fixture
def served(tmp_path: Path, label_studio_server: Server, batch: int) -> Iterator[Cli]:
    """The Italian campaign, and `serve` on it with the gateway."""
    cli = Cli(tmp_path / "workspace")
    cli("init", cli.workspace, "--campaign", small_campaign(tmp_path / "annunci"))
    cli("import", REPOSITORY / "seeds" / "job_ads_it" / "ads.jsonl")
    cli.work_on(
        label_studio_server,
        LOOP__BATCH_SIZE=batch,
        LOOP__LOW_WATER=0,
        LOOP__BUDGET=3 * batch,
        LOOP__AUDIT_BLOCK=0,
        LOOP__AUDIT_SHARE=0,
        STOPPING__MODE="off",
        SCHEDULER__TICK_SECONDS=0.2,
        SCHEDULER__POLL_SECONDS=1,
        WEB__PORT=free_port(),
        GATEWAY__PORT=free_port(),
        GATEWAY__WITH_SERVE="true",
    )
    with (tmp_path / "serve.log").open("wb") as log:
        service = subprocess.Popen(
            cli.command("serve"), env=cli.environment, stdout=log, stderr=log
        )
        yield cli
        service.send_signal(signal.SIGTERM)
        assert service.wait() == 0, (tmp_path / "serve.log").read_text()


class Person(NamedTuple):
    """Someone at their own browser; `phrases` are what could be read there so far."""

    account: str
    page: Page
    phrases: set[str]


def begin(chromium: Browser, cli: Cli, width: int, shots: Path) -> Person:
    """Opens a new person's link and the first task."""
    added = cli.json("annotator", "add", f"{uuid4().hex[:8]}@example.org")
    page = chromium.new_context(viewport={"width": width, "height": 900}, locale="it-IT").new_page()
    page.set_default_timeout(PATIENCE)
    phrases = phrases_seen(page)
    page.goto(added["link"])
    page.screenshot(path=shots / f"guideline-{width}.png")
    page.get_by_role("button", name="Inizia").first.click()
    return Person(added["account"], page, phrases)


def answer_one(page: Page) -> bool:
    """Answers what is shown; False while the queue is empty."""
    if page.locator(EMPTY).count():
        return False
    sentence = page.locator(".bl-text").inner_text().strip()
    while not page.evaluate(ANSWER)["chosen"]:
        page.keyboard.press("0")  # a new task hears its keys a moment after it is seen
        page.wait_for_timeout(300)
    with page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST"):
        page.keyboard.press("Control+Enter")
    expect(page.locator(f".bl-text, {EMPTY}").first).not_to_have_text(sentence, timeout=PATIENCE)
    return True


def human_votes(service: Service) -> list[Annotation]:
    return [a for a in service.ledger.annotations() if a.source is LabelSource.HUMAN]


def test_two_people_label_three_batches_by_their_links(
    served: Cli, chromium: Browser, batch: int, tmp_path: Path
) -> None:
    while served.json("status")["open_tasks"]["all"] < batch:
        pass  # the first batch is on its way
    people = [begin(chromium, served, width, tmp_path) for width in (1440, 390)]
    pages = [person.page for person in people]
    for page in pages:
        expect(page.locator(".bl-text")).not_to_be_empty(timeout=PATIENCE)
        page.screenshot(path=tmp_path / f"task-{page.viewport_size['width']}.png")  # type: ignore[index]
    done = 0
    while done < 3 * batch:
        answered = [answer_one(page) for page in pages]
        done += sum(answered)
        if not any(answered):
            pages[0].wait_for_timeout(300)
    for page in pages:
        expect(page.get_by_text("Per ora è tutto")).to_be_visible(timeout=PATIENCE)
        page.screenshot(path=tmp_path / f"end-{page.viewport_size['width']}.png")  # type: ignore[index]

    english = {*phrase_table("it")["phrases"]} - {*phrase_table("it")["phrases"].values()}
    seen = set().union(*(person.phrases for person in people))
    assert len(seen) > 20
    assert not seen & english

    service = Service(served.workspace)
    while len(votes := human_votes(service)) < 3 * batch:
        pages[0].wait_for_timeout(300)
    assert len(votes) == len({a.item_id for a in votes}) == 3 * batch
    assert {a.standing for a in votes} == {Standing.VOTE}
    assert {a.annotator for a in votes} == {person.account for person in people}
    visits = service.layout.visits.read_text("utf-8")
    used = {tuple(line.split()[2:4]) for line in visits.splitlines()}
    unused = [
        rule
        for rule in RULES
        if (rule.method, rule.name) not in used
        and (rule.method, rule.body, rule.treatment) not in NOT_ASKED
        and rule.name != "/favicon.ico"
    ]
    assert not unused
    assert not re.search(r"@|127\.0\.0\.1", visits)
    service.close()
