"""What scripts read of a campaign in full swing: keys, their order, and types of every report.

json_shapes.json holds them. A report that changes on purpose changes there and in the changelog.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from biasloop.cli.main import app
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.probation import BoundedEstimate, Review
from biasloop.domain.model import ModelVersion, Promotion
from biasloop.domain.policy import Policy, VoteAction
from biasloop.domain.round import Done
from biasloop.domain.trial import Case, Comment, Scenario, Trial
from biasloop.domain.votes import agreement
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.prompt import Problem, Spending
from biasloop.domain.writing.synthesis import RefusalReason, Rejection
from biasloop.service.policy import decide
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from biasloop.workspace.positions import Positions
from biasloop.workspace.settings_file import SETTINGS_FILE

Get = Callable[..., httpx.Response]
SHAPES = json.loads(Path(__file__).with_name("json_shapes.json").read_text("utf-8"))
PEOPLE = [f"p{n}@example.org" for n in range(11)]
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


def shape(value: Any) -> Any:
    """Names of types in the place of values; of a list, each different one once."""
    if isinstance(value, dict):
        return {key: shape(below) for key, below in value.items()}
    if isinstance(value, list):
        shapes: list[Any] = []
        for below in map(shape, value):
            if json.dumps(below) not in map(json.dumps, shapes):
                shapes.append(below)
        return shapes
    return "null" if value is None else type(value).__name__


@pytest.fixture
def service(service: Service) -> Service:
    """With gold items in every batch."""
    settings = service.layout.folder / SETTINGS_FILE
    settings.write_text("[loop]\ngold_share = 0.25\n", "utf-8")
    return Service(service.layout.folder)


@pytest.fixture
def whole(campaign: Any) -> Any:
    """A campaign with something of everything that reports tell."""
    campaign.whole()
    service, ledger, items = campaign.service, campaign.ledger, campaign.items
    ledger.control.set_bookmark(Bookmark.TROUBLE, "no answer")
    review = Review(
        True, "mean average precision +0.020", 1, 1, 0.5,
        BoundedEstimate(0.02, 0.01), BoundedEstimate(0, -0.1), ("gender", "age"), 90, 60,
    )  # fmt: skip
    refused = Rejection(
        "Un testo.", RefusalReason.LABEL, "judged age", "llm:write:gender@1a2b3c4d",
        ("gender",), ("p",), ("ad-1",),
    )  # fmt: skip
    facts = {"synthesis": {"llm": SYNTHESIS}, "probation": review.as_dict()}
    campaign.step(Done(facts, (review, refused)))
    campaign.written(items[-1])
    campaign.annotate(1, 1, key="gold:1", source=LabelSource.GOLD, task_id=None, annotator="gold")
    rows = "".join(f"{who},2026-01-01,{'ab'[n > 5]}\n" for n, who in enumerate(PEOPLE))
    table = service.layout.folder.parent / "positions.csv"
    table.write_text("annotator,consent,group\n" + rows, "utf-8")
    Positions(service.layout.positions).add(table, campaign.now.date())
    old, new = Policy("Linee guida di prima"), service.campaign.policy
    ledger.policies.add(old, campaign.later())
    campaign.annotate(5, 1, key="ls:older", policy_id=old.id, annotator="anna@example.org")
    ledger.policies.add(new, campaign.later())
    decide(service, VoteAction.SET_ASIDE, ["gender"], "rita")
    campaign.annotate(5, 1, key="ls:late", policy_id=old.id, annotator="bea@example.org")
    for number, who in enumerate(PEOPLE):
        for place, (_, selection) in enumerate(ledger.selections(0)[:8]):
            label = "gender" if number < 6 or place % 2 else "age"
            campaign.annotate_as(selection, who, label, new.id)
    judged, silent = Judgement(("gender",), 1.0, "perché"), Problem.SCHEMA
    cases = (
        Case(Scenario("Un cuoco.", known=("age",)), judged, Judgement(("age",), 0.5, "")),
        Case(Scenario("Una cuoca.", item_id=items[0].id), judged, silent),
    )
    spending = Spending(4, 100, 20, 0.01)
    ledger.trials.add(
        Trial("f00dcafe", campaign.later(), "rita", old, new.id, "m", cases, "full", spending)
    )
    ledger.trials.comment("f00dcafe", Comment(1, "rita", "No.", campaign.later()))
    card = {"rows": {"human": 3, "seed": 2}, "policies": {old.id: 3}}
    model = ModelVersion("t1", "tfidf", 2, "models/t1", card, ())
    ledger.add([model, Promotion("t1", "by hand")], campaign.now + timedelta(minutes=1))
    return campaign


COMMANDS = {
    "status": ["status"],
    "annotators": ["annotators"],
    "policy": ["policy"],
    "models": ["models", "list"],
    "doctor": ["doctor"],
    "trip": ["trip", "ITEM"],
    "trial": ["policy", "trial"],
}


def test_reports_keep_their_shape(get: Get, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Below the gate of positives every figure of agreement is null, and has no shape.
    for measure in (agreement.measure_agreement, agreement.annotator_competence):
        monkeypatch.setattr(measure, "__defaults__", (0,))
    item = whole.ledger.selections(0)[0][1].item_id
    folder = str(whole.service.layout.folder)
    shapes = {}
    for name, words in COMMANDS.items():
        command = [item if word == "ITEM" else word for word in words]
        done = CliRunner().invoke(app, [*command, "--json", "-w", folder])
        shapes[name] = shape(json.loads(done.stdout))
    status = get("/api/status").json()
    assert shape(status) == shapes["status"]
    assert shapes == SHAPES
    assert json.dumps(shapes) == json.dumps(SHAPES), "keys in another order"


def test_reports_of_an_empty_workspace_keep_their_shape(get: Get, service: Service) -> None:
    status = get("/api/status").json()
    assert list(status) == list(SHAPES["status"])
    assert status["pool"]["items"] == 0
