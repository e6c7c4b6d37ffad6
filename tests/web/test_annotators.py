"""The annotators' page and command: two people, who differ here and there."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from biasloop.cli.context import WORKSPACE
from biasloop.cli.main import app
from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import AsideReason, LabelSource
from biasloop.domain.measure.metric import MIN_POSITIVES
from biasloop.reports import annotators as annotators_report
from biasloop.service.service import Service

Get = Callable[..., httpx.Response]
HOSTILE = "<b>eve</b>@example.org"


def answer(campaign: Any, number: int, item: str, who: str, *labels: str, **changed: Any) -> None:
    facts: dict[str, Any] = {
        "key": f"ls:{who}:{item}",
        "item_id": item,
        "source": LabelSource.HUMAN,
        "standing": Standing.VOTE,
        "labels": labels,
        "asked": campaign.service.campaign.scheme.labels,
        "policy_id": "p",
        "annotator": who,
        "at": campaign.later(),
        "task_id": number,
        "seconds": 12.0,
    }
    campaign.ledger.record([Annotation(**(facts | changed))])


@pytest.fixture
def answered(campaign: Any) -> Any:
    """Anna and Bea answer ten items, nine alike; Eve's one answer is set aside."""
    campaign.fill_pool(5, text="Cercasi magazziniere, sede")
    number = campaign.push_round()
    items = [s.item_id for _, s in campaign.ledger.selections(number)][:10]
    for i, item in enumerate(items):
        label = "gender" if i % 2 else "inclusive"
        span = {"start": 8, "end": 14 if i else 20, "labels": ["gender"]}
        drawn = {"result": [{"type": "labels", "from_name": "span", "value": span}]}
        answer(campaign, i, item, "anna@example.org", label, extra=drawn)
        other = "age" if i == 9 else label
        answer(campaign, i, item, "bea@example.org", other, seconds=None if i else 9000.0)
    aside = {"standing": Standing.ASIDE, "reason": str(AsideReason.CONTRADICTORY)}
    answer(campaign, 0, items[0], HOSTILE, "inclusive", "age", **aside)
    return campaign


def test_who_labelled_and_how(service: Service, answered: Any) -> None:
    found = annotators_report.report(service)
    people = {person.annotator: person for person in found.people}
    anna, bea, eve = (people[n] for n in ("anna@example.org", "bea@example.org", HOSTILE))
    assert (anna.votes, anna.skips, anna.aside) == (10, 0, {})
    assert (anna.seconds_per_item, anna.hours) == (12, pytest.approx(120 / 3600))
    assert bea.hours == pytest.approx(120 / 3600)  # 9,000 s count as ten times the median
    assert (eve.votes, eve.aside) == (0, {AsideReason.CONTRADICTORY: 1})
    assert eve.competence is None
    assert anna.competence is None  # nobody is measured on so few answers
    assert found.agreement.items == 10
    assert found.agreement.sets is None
    assert found.agreement.labels["religion"] is None
    (pair,) = found.pairs
    assert (pair.people, pair.items) == (("anna@example.org", "bea@example.org"), 10)
    assert pair.sets == found.agreement.sets
    (round_,) = found.rounds
    assert (round_.votes, round_.items) == (20, 10)
    assert found.spans.value == 0  # Anna marked, Bea did not


def test_the_page(get: Get, answered: Any) -> None:
    page = get("/annotators")
    assert page.status_code == 200
    assert HOSTILE not in page.text
    assert "&lt;b&gt;eve&lt;/b&gt;@example.org" in page.text
    assert "anna@example.org and bea@example.org" in page.text
    assert "10 items with several votes" in page.text
    assert "Marked words overlap" in page.text
    assert 'href="/annotators"' in get("/").text


def test_gold_stands_beside_competence_and_agrees_with_nobody(get: Get, answered: Any) -> None:
    first = answered.ledger.selections(0)[0][1].item_id
    known = {"source": LabelSource.GOLD, "key": f"gold:{first}", "task_id": None}
    answer(answered, 0, first, "gold", "inclusive", **known)
    page = " ".join(get("/annotators").text.split())
    assert "<b>1.00</b> <small>0.21–1.00</small> <small>of 1</small>" in page
    assert "9 items with several votes" in page


def test_before_anybody_labelled(get: Get, campaign: Any) -> None:
    assert "Nobody has labelled yet" in get("/annotators").text


def test_one_annotator_alone_agrees_with_nobody(get: Get, campaign: Any) -> None:
    campaign.fill_pool(5)
    campaign.annotate(campaign.push_round(), 3)
    page = get("/annotators").text
    assert "anna@example.org" in page
    assert "No item has two votes yet" in page


def test_the_command(service: Service, answered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKSPACE, str(service.layout.folder))
    told = CliRunner().invoke(app, ["annotators"])
    assert told.exit_code == 0, told.output
    assert "10 items have several votes" in told.stdout
    assert "anna@example.org / bea@example.org" in told.stdout
    assert "not measurable" in told.stdout
    found = json.loads(CliRunner().invoke(app, ["annotators", "--json"]).stdout)
    assert {p["annotator"] for p in found["people"]} >= {"anna@example.org", HOSTILE}


@pytest.mark.parametrize("items", [20, MIN_POSITIVES - 1, MIN_POSITIVES])
def test_page_command_and_json_show_agreement_and_competence_from_the_gate_on(
    get: Get, campaign: Any, items: int
) -> None:
    """20 items gave alpha 1.00 [1.00, 1.00], and a competence without saying how unsure it is."""
    pool = campaign.fill_pool(60)
    for i, item in enumerate(pool[: items + 30]):
        for who in ("anna@example.org", "bea@example.org"):
            answer(campaign, i, item.id, who, "gender" if i < items else "inclusive")
    workspace = ["-w", str(campaign.service.layout.folder)]
    report = json.loads(CliRunner().invoke(app, ["annotators", "--json", *workspace]).stdout)
    command = CliRunner().invoke(app, ["annotators", *workspace]).stdout
    page = " ".join(get("/annotators").text.split())
    competences = [person["competence"] for person in report["people"]]
    alpha = report["agreement"]["labels"]["gender"]
    if items < MIN_POSITIVES:
        assert (competences, alpha, report["agreement"]["sets"]) == ([None, None], None, None)
        assert "1.00" not in command + page
        return
    assert all(0.9 < competence <= 1 for competence in competences)
    assert alpha["low"] < 0.9 < alpha["value"] == alpha["high"] == 1
    bounds = f"{alpha['low']:.2f}", f"{alpha['high']:.2f}"
    assert "1.00 [{}, {}]".format(*bounds) in command
    assert "<b>1.00</b> <small>{}–{}</small>".format(*bounds) in page
    for competence in competences:
        assert f" {competence:.2f} " in command
        assert f'<td class="number">{competence:.2f}</td>' in page
