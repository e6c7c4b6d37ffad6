"""`biasloop items --disputed` and `biasloop adjudicate`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from biasloop.cli.context import WORKSPACE
from biasloop.cli.main import app
from biasloop.domain.item import Item
from biasloop.domain.label import LabelSource
from biasloop.domain.policy import Policy
from biasloop.domain.split import Split
from biasloop.errors import ConfigError
from biasloop.reports import disputed
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from support.annotations import AT, vote
from support.cli import write_jsonl
from support.scored_pool import score_pool
from support.workspaces import CopyBare

FLAG = {"type": "choices", "from_name": "unsure", "value": {"choices": ["unsure"]}}
SPAN = {
    "type": "labels",
    "from_name": "span",
    "value": {"start": 0, "end": 6, "labels": ["gender"]},
}
REWRITE = {"type": "textarea", "from_name": "rewrite", "value": {"text": ["Person wanted."]}}


@pytest.fixture
def service(
    tmp_path: Path, copy_bare: CopyBare, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    folder = copy_bare(tmp_path / "w", "job_ads_en")
    monkeypatch.setenv(WORKSPACE, str(folder))
    config = folder / "campaign" / "label_config.xml"
    if 'name="unsure"' not in (xml := config.read_text("utf-8")):
        flag = '<Choices name="unsure" toName="text"><Choice value="unsure"/></Choices>'
        config.write_text(xml.replace("</View>", f"{flag}</View>"), "utf-8")
    service = Service(folder)
    ads = [{"id": f"ad-{n}", "text": f"Waiter wanted for place {n}."} for n in range(40)]
    import_file(service, write_jsonl(folder / "in.jsonl", *ads))
    yield service
    service.close()


def of(service: Service, split: Split) -> list[Item]:
    return [i for i in service.pool.items(range(len(service.pool))) if i.ad_id and i.split is split]


def say(
    service: Service, item: Item, who: str, *labels: str, result: tuple[object, ...] = ()
) -> None:
    number = service.ledger.sequence() + 1
    facts = {
        "key": f"ls:{number}",
        "task_id": number,
        "asked": service.campaign.scheme.labels,
        "policy_id": service.current_policy.id,
        "extra": {"result": list(result)} if result else {},
    }
    service.ledger.record([vote(item.id, *labels, annotator=f"{who}@example.org", **facts)])


def test_what_is_listed_for_the_one_who_decides(service: Service) -> None:
    section = "## One gender only: `gender`\n\n“Waiter” counts."
    guideline = f"# Guide\n\n{section}\n\n## Age: `age`\n\nAny age."
    service.ledger.policies.add(Policy(guideline, service.campaign.hints), AT)
    differ, unsure, settled = of(service, Split.TRAIN)[:3]
    say(service, differ, "anna", "gender", result=(SPAN, REWRITE))
    say(service, differ, "bea", "inclusive")
    say(service, unsure, "anna", "age", result=(FLAG,))
    say(service, settled, "anna", "age")
    told = CliRunner().invoke(app, ["items", "--disputed"], catch_exceptions=False).stdout
    assert f"{differ.id} (votes differ)" in told
    assert f"{unsure.id} (somebody is unsure)" in told
    assert settled.id not in told
    assert "marked “Waiter” (gender); would write “Person wanted.”" in told
    assert "rule gender: " in told
    assert "2 items to decide, 0 decided" in told
    assert "example.org" not in told
    found = json.loads(CliRunner().invoke(app, ["items", "--disputed", "--json"]).stdout)
    (item,) = (row for row in found["open"] if row["item"] == differ.id)
    assert [(a["annotator"], a["labels"]) for a in item["answers"]] == [
        ("A1", ["gender"]),
        ("A2", ["inclusive"]),
    ]
    (rule,) = item["rules"]
    assert rule["description"] == service.campaign.hints["gender"]
    assert rule["section"] == section
    assert item["ad"] == differ.text


def test_the_verdict_on_an_audit_item_is_hidden_until_somebody_has_decided(
    service: Service,
) -> None:
    train, audit = of(service, Split.TRAIN)[0], of(service, Split.AUDIT)[0]
    for item in (train, audit):
        say(service, item, "anna", "gender")
        say(service, item, "bea", "inclusive")
    score_pool(service, "gender", AT)
    verdicts = {item.item: item.verdict for item in disputed.report(service).open}
    assert verdicts[audit.id] is None
    shown = verdicts[train.id]
    assert shown is not None
    assert (shown.labels, shown.probabilities["gender"]) == (("gender",), 0.75)
    told = CliRunner().invoke(app, ["items", "--disputed"]).stdout
    assert told.count("the model: gender") == 1
    arguments = ["adjudicate", audit.id, "--labels", "inclusive", "--reason", "Not a person."]
    done = CliRunner().invoke(app, [*arguments, "--by", "Rita"], catch_exceptions=False)
    assert f"Rita decided for item {audit.id}: inclusive" in done.stdout
    (decided,) = disputed.report(service).decided
    assert decided.verdict is not None
    assert decided.decision is not None
    assert (decided.decision.by, decided.decision.why) == ("Rita", "Not a person.")
    (fact,) = (a for a in service.ledger.annotations() if a.source is LabelSource.ADJUDICATED)
    assert (fact.item_id, fact.labels) == (audit.id, ("inclusive",))


def test_taken_down_items_are_not_listed(service: Service) -> None:
    item = of(service, Split.TRAIN)[0]
    say(service, item, "anna", "gender", result=(FLAG,))
    service.pool.erase(item.ad_id)
    report = disputed.report(service)
    assert (report.open, report.decided) == ([], [])


def test_there_must_be_something_to_list(service: Service) -> None:
    assert isinstance(CliRunner().invoke(app, ["items"]).exception, ConfigError)
    assert "0 items to decide" in CliRunner().invoke(app, ["items", "--disputed"]).stdout
