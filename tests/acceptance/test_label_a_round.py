"""A person labels a whole batch in a real browser, and the next one comes by itself."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from biasloop.domain.annotation import Standing
from biasloop.domain.label import LabelSource
from biasloop.domain.round import AFTER_LABELLING, FINISHED
from biasloop.service.service import Service
from support.cli import REPOSITORY, Cli, small_campaign
from support.labelstudio_server import Server
from support.ports import free_port

BATCH = 5
PATIENCE = 60_000
"""Milliseconds after which the test gives up; never a measure of anything."""
REWRITE = "Cerchiamo personale da inserire in organico."


@pytest.fixture
def served(tmp_path: Path, label_studio_server: Server) -> Iterator[Cli]:
    """A workspace of the Italian campaign with its example ads, and `biasloop serve` on it."""
    cli = Cli(tmp_path / "workspace")
    cli("init", cli.workspace, "--campaign", small_campaign(tmp_path / "annunci"))
    cli("import", REPOSITORY / "seeds" / "job_ads_it" / "ads.jsonl")
    cli.work_on(
        label_studio_server,
        LOOP__BATCH_SIZE=BATCH,
        LOOP__LOW_WATER=0,
        STOPPING__MODE="off",
        SCHEDULER__TICK_SECONDS=0.2,
        SCHEDULER__POLL_SECONDS=1,
        WEB__PORT=free_port(),
    )
    with (tmp_path / "serve.log").open("wb") as log:
        service = subprocess.Popen(
            cli.command("serve"), env=cli.environment, stdout=log, stderr=log
        )
        yield cli
        service.send_signal(signal.SIGTERM)
        assert service.wait() == 0, (tmp_path / "serve.log").read_text()


@pytest.fixture
def page(chromium: Browser) -> Page:
    page = chromium.new_page(locale="it-IT")
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    return page


def sign_in(page: Page, account: dict[str, Any]) -> None:
    page.goto(account["label"])
    page.locator("input[name=email]").fill(account["email"])
    page.locator("input[name=password]").fill(account["password"])
    page.get_by_role("button", name="Log in").click()


def close_guideline(page: Page) -> None:
    """The guideline stands before the first task."""
    expect(page.get_by_text("Guida all'annotazione").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Guida all'annotazione")).to_have_count(0)


def sentence(page: Page) -> str:
    return page.locator(".bl-text").inner_text().strip()


def choose(page: Page, label: str) -> None:
    """Ticks a label by the name that people see."""
    page.get_by_role("checkbox", name=label).check()


def send(page: Page, button: str) -> str:
    """Presses Submit or Skip, waits until Label Studio has it; returns the sentence."""
    done = sentence(page)
    with page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST"):
        page.get_by_role("button", name=button).first.click()
    return done


def next_sentence(page: Page, before: str) -> None:
    expect(page.locator(".bl-text")).not_to_have_text(before)
    expect(page.locator(".bl-text")).not_to_be_empty()


def test_a_person_labels_a_round_and_the_next_one_comes(
    served: Cli, page: Page, tmp_path: Path
) -> None:
    account = served.json("annotator", "add", f"lettrice-{uuid4().hex}@example.org")
    while served.json("status")["open_tasks"]["all"] < BATCH:
        pass  # the first batch is on its way
    sign_in(page, account)
    close_guideline(page)
    page.screenshot(path=tmp_path / "task.png")
    said = {}

    choose(page, "Genere (chi si cerca)")
    page.get_by_placeholder(re.compile("minimo cambiamento")).fill(REWRITE)
    page.screenshot(path=tmp_path / "rewrite.png")
    rewritten = send(page, "Submit")
    said[rewritten] = ("gender",)
    next_sentence(page, rewritten)

    while not page.get_by_role("checkbox", name="Nessun problema").is_checked():
        page.keyboard.press("0")  # a new task hears its keys a moment after it is seen
        page.wait_for_timeout(500)
    said[now := send(page, "Submit")] = ("inclusive",)
    next_sentence(page, now)

    choose(page, "Età")
    choose(page, "Origine")
    said[now := send(page, "Submit")] = ("age", "origin")
    next_sentence(page, now)

    said[now := send(page, "Skip")] = ()
    next_sentence(page, now)

    choose(page, "Nessun problema")
    said[now := send(page, "Submit")] = ("inclusive",)
    page.wait_for_timeout(1000)
    page.screenshot(path=tmp_path / "end.png")
    assert len(said) == BATCH

    service = Service(served.workspace)
    while len(service.ledger.task_ids()) < 2 * BATCH:
        page.wait_for_timeout(200)
    page.goto(account["label"])
    close_guideline(page)
    expect(page.locator(".bl-text")).not_to_be_empty()
    following = sentence(page)
    page.screenshot(path=tmp_path / "next.png")

    batches: dict[int, list[str]] = {0: [], 1: []}
    for round_id, selection in service.ledger.selections():
        batches[round_id] += service.pool.texts([selection.row])
    assert batches[0] == list(said)  # in the order of selection
    assert following == batches[1][0]
    assert service.ledger.rounds.get(0).state in AFTER_LABELLING + FINISHED
    human = [a for a in service.ledger.annotations() if a.source is LabelSource.HUMAN]
    texts = service.pool.texts(service.pool.rows_of([a.item_id for a in human]))
    assert {t: a.labels for t, a in zip(texts, human, strict=True)} == said
    assert [a.standing for a in human].count(Standing.SKIP) == 1
    assert {a.annotator for a in human} == {account["email"]}
    (extra,) = (a.extra for a in human if a.extra)
    assert [r["value"]["text"] for r in extra["result"]] == [[REWRITE]]
    service.ledger.close()
