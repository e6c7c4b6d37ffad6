"""What the page says, over real HTTP, from an empty workspace to a campaign in full swing."""

import json
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from biasloop.domain.annotation import Standing
from biasloop.domain.measure.probation import BoundedEstimate, Review
from biasloop.domain.policy import Policy, VoteAction
from biasloop.domain.round import Done
from biasloop.domain.writing.synthesis import RefusalReason, Rejection
from biasloop.service.policy import decide
from biasloop.service.service import Service
from biasloop.store.control import SCHEDULER_LEASE, Bookmark
from biasloop.workspace.settings_file import SETTINGS_FILE, digest_settings

Get = Callable[..., httpx.Response]
HOSTILE = '<script>alert("x")</script>'
ESCAPED = "&lt;script&gt;alert("


def text_of(page: httpx.Response) -> str:
    """What a person reads, spaces made one."""
    body = page.text.partition("<main")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_an_empty_workspace_says_to_import(get: Get) -> None:
    page = get("/")
    assert page.status_code == 200
    assert "The pool is empty. biasloop import FILE…" in text_of(page)
    assert "No rounds yet. First fill the pool" in text_of(page)
    assert "No model yet. The curve begins when the first round" in text_of(page)
    assert "nobody has labelled yet" in text_of(page)
    assert "Set aside" not in page.text
    assert "Quality per label" not in page.text


def test_whether_a_service_runs_is_told(get: Get, campaign, clock) -> None:
    def told() -> str:
        clock.skip(2)
        return text_of(get("/"))

    control = campaign.ledger.control
    assert "Nothing runs the loop." in told()
    control.hold_lease(SCHEDULER_LEASE, "host/1", datetime.now(UTC), 60)
    control.set_bookmark(Bookmark.SETTINGS, digest_settings(campaign.service.layout))
    running = told()
    assert "Nothing runs the loop." not in running
    assert "Settings have changed" not in running
    settings = campaign.service.layout.folder / SETTINGS_FILE
    settings.write_text(settings.read_text().replace("# batch_size = 50", "batch_size = 7"))
    assert "since the service started: loop.batch_size" in told()
    assert get("/api/status").json()["service"]["changed_settings"] == ["loop.batch_size"]
    control.release_lease(SCHEDULER_LEASE, "host/1", datetime.now(UTC))
    ended = told()
    assert "the loop was last seen" in ended
    assert "Settings have changed" not in ended  # the next service reads them


def test_a_filled_pool_says_how_the_first_round_opens(get: Get, campaign) -> None:
    campaign.fill_pool(5)
    told = text_of(get("/"))
    assert "No rounds yet. biasloop up runs the loop" in told
    assert "Next round: opens once a service runs" in told
    assert "The pool is empty" not in told


def test_a_model_without_audit_labels_is_not_measured(get: Get, campaign) -> None:
    campaign.fill_pool()
    number = campaign.push_round()
    campaign.annotate(number, 3)
    campaign.close_round(number, audited=False)
    told = text_of(get("/"))
    assert "No audit labels yet" in told
    assert "5 audit tasks are open" not in told  # one of the three labelled is an audit item
    assert "4 audit tasks are open" in told
    assert "No round is open" in told


def test_audit_items_without_positives_measure_nothing(get: Get, campaign) -> None:
    campaign.fill_pool()
    number = campaign.push_round()
    campaign.annotate(number)
    campaign.close_round(number, rates=(0, 0))
    told = text_of(get("/"))
    assert "F1 needs positives" in told
    assert "too few (0)" in told


def test_a_changed_guideline_waits_for_a_decision(get: Get, campaign, clock) -> None:
    campaign.fill_pool()
    old, new = Policy("Linee guida di prima"), campaign.service.campaign.policy
    campaign.ledger.policies.add(old, campaign.later())
    campaign.annotate(campaign.push_round(), 3, policy_id=old.id)
    campaign.ledger.policies.add(new, campaign.later())
    told = text_of(get("/"))
    assert f"3 votes were given under versions older than {new.id}" in told
    assert "annotators ; 0.1 hours, 1.5 minutes per item" in told
    decide(campaign.service, VoteAction.SET_ASIDE, [], "rita")
    clock.skip(1)  # the page looks at most once a second
    told = text_of(get("/"))
    assert "The guideline has changed" not in told
    assert "nobody has labelled yet" not in told
    assert re.search(r"rita decided on .* under versions older than \w+ : set-aside", told)
    assert "Set aside" not in told


def test_a_campaign_in_full_swing(get: Get, campaign) -> None:
    campaign.whole()
    page = get("/")
    told = text_of(page)
    assert "12 of 20 tasks are open; the next round comes at 5" in told
    assert "8 of 20 answered" in told
    assert "train failed once: the child process was killed: out of memory" in told
    assert re.search(r"Next try at <time class=\"clock\" datetime=\"[^\"]+\+00:00\">", page.text)
    assert re.search(r"too few \(\d+, worth \d+ with equal chances\)", told)
    assert re.search(r"enough after about \d+ more round", told)
    assert "In service: r0003 ." in told
    assert "10 acquisition, 5 audit, 5 random train" in told
    assert "F1 against r0002" in told
    assert re.search(r"They save .+ % of the labels, [\d.]+ hours .+ of work at 1.5 minutes", told)
    assert "r0003 , went into service: no out-of-fold predictions to compare with" in told
    curve, savings = (json.loads(plot) for plot in re.findall(r"data-plot='([^']+)'", page.text))
    (points,) = [line["points"] for line in curve["lines"]]
    assert [p["x"] for p in points] == [20, 40, 60, 80]
    assert all("n = 300 audit items" in p["hover"] for p in points)
    assert [line["name"] for line in savings["lines"]] == ["acquired", "random"]
    for line in (points, *(line["points"] for line in savings["lines"])):
        assert all(p["low"] <= p["y"] <= p["high"] for p in line)
    assert "The plot needs JavaScript" in page.text
    assert '<meta http-equiv="refresh"' in page.text
    assert 'href="http://127.0.0.1:8080/projects/3/data"' in page.text
    assert 'href="http://127.0.0.1:8080/projects/3/data?task=1100"' in page.text


@pytest.mark.parametrize(
    ("rounds", "told"),
    [
        (1, r"Not yet estimable: 20 random labels\."),
        (2, r"At 40 labels each, .* by \+0\.10 .* They save \d+ % −?\d+ to \d+ % of the labels"),
    ],
)
def test_what_acquired_labels_have_saved(get: Get, campaign, rounds: int, told: str) -> None:
    campaign.fill_pool()
    for _ in range(rounds):
        number = campaign.push_round()
        campaign.annotate(number)
        campaign.close_round(number)
    assert re.search(told, text_of(get("/")))


def test_advice_on_stopping_stands_with_its_reasons(get: Get, campaign) -> None:
    campaign.fill_pool()
    number = campaign.push_round()
    campaign.annotate(number)
    campaign.close_round(number)
    told = text_of(get("/"))
    assert "Keep labelling: it is time to stop when gain and kappa say so" in told
    assert "gain cannot tell yet 3 rounds" in told
    assert "kappa yes the models agree" in told


@pytest.mark.parametrize(
    ("state", "says"), [("paused", "Paused. No step runs"), ("draining", "Draining. The open")]
)
def test_a_pause_is_a_banner(get: Get, campaign, state: str, says: str) -> None:
    campaign.fill_pool()
    campaign.push_round()
    campaign.ledger.control.note(state, {}, datetime.now(UTC))
    told = text_of(get("/"))
    assert says in told
    assert "biasloop resume continues" in told
    assert ("pull is next; the loop is paused" in told) == (state == "paused")


def test_trouble_with_label_studio_is_a_banner(get: Get, campaign) -> None:
    campaign.ledger.control.set_bookmark(Bookmark.TROUBLE, f"no answer {HOSTILE}")
    page = get("/")
    assert "Label Studio cannot be polled. no answer" in text_of(page)
    assert HOSTILE not in page.text


SYNTHESIS = {
    "asked": 12,
    "made": 8,
    "refused": {"label_not_confirmed": 3},
    "not_asked": 1,
    "stopped": "the budget does not hold another request",
    "spending": {"requests": 25, "tokens_in": 9000, "tokens_out": 800, "cost": 0.0425},
    "diversity": {"texts": 8, "distinct": [0.5, 0.8, 0.9], "self_bleu": 0.2, "spread": None},
    "prompts": "1a2b3c4d",
}


def test_what_a_language_model_wrote_is_shown(get: Get, campaign, clock) -> None:
    campaign.fill_pool(5)
    assert "language model" not in text_of(get("/"))
    refused = Rejection(
        HOSTILE, RefusalReason.LABEL, f"judged age: {HOSTILE}", "llm:write:gender@1a2b3c4d",
        ("gender",), ("p",), ("ad-1",),
    )  # fmt: skip
    campaign.ledger.rounds.open({}, campaign.later())
    campaign.step(Done({"expanded": {"llm": 8}, "synthesis": {"llm": SYNTHESIS}}, (refused,)))
    clock.skip(1)  # the page looks at most once a second
    page = get("/")
    told = text_of(page)
    assert (
        "Round 0 , llm: 12 texts asked for, 8 accepted, 3 label not confirmed, 1 not asked" in told
    )
    assert "25 requests, 9000 tokens in, 800 out, cost 0.0425" in told
    assert "0.50, 0.80, 0.90; self-BLEU 0.20" in told
    assert "Asking stopped. the budget does not hold another request." in told
    assert page.text.count(ESCAPED) == 2
    assert HOSTILE not in page.text


def test_the_verdict_on_what_was_written_is_shown(get: Get, campaign, clock) -> None:
    item = campaign.fill_pool(5)[0]
    assert "On probation" not in text_of(get("/"))
    campaign.ledger.rounds.open({}, campaign.later())
    campaign.written(item)
    clock.skip(1)  # the page looks at most once a second
    told = text_of(get("/"))
    assert (
        "On probation: 0 of 1 texts are used for training. Not reviewed yet: the next training"
        in told
    )
    review = Review(
        True, "mean average precision +0.020", 1, 1, 0.5,
        BoundedEstimate(0.02, 0.01), BoundedEstimate(0, -0.1), ("gender", "age"), 90, 60,
    )  # fmt: skip
    campaign.step(Done({"probation": review.as_dict()}, (review,)))
    clock.skip(1)
    told = text_of(get("/"))
    assert "On probation: 1 of 1 texts are used for training. Round 0 kept 1: mean average" in told
    assert "over gender, age (n = 90 items of 60 ads)" in told


def test_hostile_text_is_escaped_everywhere(get: Get, campaign) -> None:
    item = campaign.fill_pool(text=HOSTILE)[0]
    number = campaign.push_round()
    campaign.annotate(number, 1, annotator=HOSTILE, standing=Standing.ASIDE, reason=HOSTILE)
    campaign.fail(HOSTILE)
    page, trip = get("/"), get(f"/item/{item.id}")
    assert HOSTILE in item.text
    assert page.text.count(ESCAPED) >= 4  # annotator, reason, error (twice), event
    assert trip.text.count(ESCAPED) >= 2  # the text, and the annotator in the trip
    assert "<script>" not in page.text + trip.text


def test_the_trip_of_an_item(get: Get, campaign) -> None:
    campaign.whole()
    item = campaign.items[0]
    found = get("/item", params={"id": f" {item.id} "}, follow_redirects=True)
    assert found.url.path == f"/item/{item.id}"
    told = text_of(found)
    assert item.text in told
    for fact in ("selected", "pushed", "vote", "human by anna@example.org"):
        assert fact in told
    assert "/projects/3/data?task=1000" in found.text


@pytest.mark.parametrize("unknown", ["nothing", "a/b", HOSTILE, "%"])
def test_an_unknown_item_is_said_to_be_unknown(get: Get, unknown: str) -> None:
    found = get("/item", params={"id": unknown}, follow_redirects=True)
    assert found.status_code == 404
    assert "There is no such item" in found.text
    assert "<script>" not in found.text


def test_a_broken_ledger_is_a_page_that_says_so(get: Get, service: Service) -> None:
    assert get("/health").json() == {"status": "ok"}
    path = Path(service.layout.ledger_url.removeprefix("sqlite:///"))
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE rounds")
    connection.close()
    page = get("/")
    assert page.status_code == 503
    assert "no such table: rounds" in page.text
    assert "biasloop doctor" in page.text
    for machine in ("/api/status", "/metrics", "/health"):
        answer = get(machine, headers={"Accept": "*/*"})
        assert answer.status_code == 503
        assert "rounds" in answer.json()["detail"] or "no tables" in answer.json()["detail"]


def test_nothing_is_loaded_from_elsewhere(get: Get, campaign) -> None:
    campaign.whole()
    page = get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    for tag, source in re.findall(r"<(link|script|img)[^>]*?(?:src|href)=\"([^\"]+)\"", page.text):
        assert source.startswith("/"), (tag, source)
        assert get(source).status_code == 200
    assert "<script>" not in page.text
    assert "immutable" in get("/plotly.min.js").headers["cache-control"]
    assert page.headers["cache-control"] == "no-cache"


def test_pages_change_nothing(url: str) -> None:
    for path in ("/", "/item/x", "/api/status", "/metrics", "/health"):
        assert httpx.post(url + path).status_code == 405
