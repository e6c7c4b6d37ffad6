"""The guideline changes while people label: on the real Label Studio."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from biasloop.domain.annotation import Standing
from biasloop.domain.label import AsideReason
from biasloop.domain.policy import Policy, VoteAction
from biasloop.domain.round import State
from biasloop.domain.trial import Case, Scenario, ScenarioReason, Trial
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.prompt import Spending
from biasloop.rounds.reconcile import Differences
from biasloop.service.policy import WaitingReport, adopt, decide, policy_report
from biasloop.service.service import Service
from support.cli import Cli
from support.labelstudio_server import Annotator, Server
from support.served import copy, label_open, person_at, put_on, step_until


@pytest.fixture
def service(tiny: Path, tmp_path: Path, label_studio_server: Server) -> Iterator[Service]:
    """A workspace whose first batch is with people."""
    with put_on(label_studio_server, copy(tiny, tmp_path / "workspace")) as made:
        step_until(made, State.PUSHED)
        yield made


@pytest.fixture
def person(service: Service, label_studio_server: Server) -> Iterator[Annotator]:
    with person_at(service, label_studio_server) as made:
        yield made


def change_guideline(service: Service) -> str:
    """As an engineer does it: edits the file and starts again. The id of the new version."""
    path = service.layout.campaign / "guidelines.md"
    path.write_text(path.read_text("utf-8") + "\nAnche le età minime.\n", "utf-8")
    service.adopt_campaign_policy()
    service.ensure_project()
    return service.campaign.policy.id


def test_items_are_asked_about_again_under_the_new_guideline(
    service: Service, person: Annotator, label_studio_server: Server
) -> None:
    old = service.campaign.policy.id
    (one, task), (two, _), *_ = service.ledger.task_ids().items()
    assert person.next_task() == task
    person.label(task, "age")
    person.label(service.ledger.task_ids()[two], "gender")
    new = change_guideline(service)
    assert service.poll() == 2  # read after the change, made before it
    assert {a.policy_id for a in service.ledger.annotations() if a.task_id} == {old}
    found = policy_report(service, service.ledger.annotations())
    assert (found.policy, found.waiting) == (new, WaitingReport(versions=[old], votes=2))

    assert decide(service, VoteAction.RE_ASK, ["age"], "rita")[1] == 1
    assert person.next_task() == task
    assert service.poll() == 0
    assert said(service, one) == {(old, Standing.ASIDE, AsideReason.ASKED_AGAIN)}
    person.label(task, "inclusive")
    assert service.poll() == 1
    assert (new, Standing.VOTE, "") in said(service, one)
    assert said(service, two) == {(old, Standing.VOTE, "")}
    assert service.reconcile() == Differences(0, 0, 0)

    assert decide(service, VoteAction.SET_ASIDE, [], "rita")[1] == 1
    assert service.reconcile() == Differences(0, 0, 0)
    assert said(service, two) == {(old, Standing.ASIDE, AsideReason.OLDER_POLICY)}
    assert person.next_task() not in (task, service.ledger.task_ids()[two])

    label_open(service, label_studio_server)
    step_until(service, State.CLOSED)  # holds nothing up
    ((_, _, model),) = service.ledger.models.all()
    assert two not in service.ledger.models.trained_on(model.id)
    assert model.card["policies"] == {new: model.card["rows"]["human"]}


def said(service: Service, item_id: str) -> set[tuple[str, Standing, str]]:
    found = service.ledger.annotations_on([item_id])
    return {(a.policy_id, a.standing, a.reason) for a in found}


def instruction(service: Service) -> str:
    """What annotators read."""
    client = service.label_studio
    return str(client._sdk.projects.get(client.project).expert_instruction)


def tried(draft: Policy, against: Policy, item_id: str) -> Trial:
    """A trial by which the draft takes the label age from an item."""
    said = [Judgement((label,), 1.0, "") for label in ("age", "inclusive")]
    case = Case(Scenario("testo", ScenarioReason.BORDER, ("age",), item_id), *said)
    moment = datetime.now(UTC)
    return Trial("0a0a0a0a", moment, "ugo", draft, against.id, "m", (case,), None, Spending())


def test_a_draft_is_adopted_while_the_service_runs(
    service: Service, person: Annotator, tmp_path: Path
) -> None:
    old = service.campaign.policy
    (one, task), *_ = service.ledger.task_ids().items()
    person.label(task, "age")
    assert service.poll() == 1
    folder = service.layout.campaign
    (folder / "guidelines.md").write_text("# Mai in vigore\n", "utf-8")
    new = replace(old, text=f"{old.text}\nAnche le età minime.\n")
    service.ledger.trials.add(tried(new, old, one))

    cli = Cli(service.layout.folder)
    found = cli.json("policy", "adopt", "0a0a", "--re-ask", "age", "--by", "rita")
    assert found["trial"]["in_question"] == {"age": 1}
    assert (found["decision"]["by"], found["decision"]["answers"]) == ("rita", 1)
    assert service.campaign.policy == new
    assert [name for _, name in service.ledger.policies.history()] == [old.id, new.id]
    (kept,) = folder.glob("guidelines.*.md")
    assert kept.read_text("utf-8") == "# Mai in vigore\n"
    assert not list(folder.glob(".*"))
    assert "Anche le età minime." in instruction(service)

    service.ensure_project()  # as its next push does
    assert "Anche le età minime." in instruction(service)
    assert said(service, one) == {(old.id, Standing.ASIDE, AsideReason.ASKED_AGAIN)}
    assert person.next_task() == task
    person.label(task, "inclusive")
    assert service.poll() == 1
    assert (new.id, Standing.VOTE, "") in said(service, one)
    service.adopt_campaign_policy()  # as it does when it starts again
    assert service.ledger.policies.current() == new

    assert adopt(service, new, "rita") is None  # once more changes nothing
    draft = tmp_path / "draft.md"
    draft.write_text(old.text.replace("\n", "\r\n"), "utf-8", newline="")
    told = cli("policy", "adopt", draft)  # and back
    assert "1 votes were given under older versions" in told
    assert "biasloop policy re-ask --labels LABEL,…" in told
    assert service.ledger.policies.current() == service.campaign.policy == old
    assert "Anche le età minime." not in instruction(service)
    assert policy_report(service, service.ledger.annotations()).new is None


def test_a_file_that_is_edited_waits_for_the_next_start(service: Service) -> None:
    old = service.campaign.policy
    (service.layout.campaign / "guidelines.md").write_text("# Una bozza\n", "utf-8")
    service.ensure_project()
    service.reconcile()
    assert service.ledger.policies.current() == old
    assert "Una bozza" not in instruction(service)
    assert policy_report(service, []).new == service.campaign.policy.id
    service.adopt_campaign_policy()
    service.ensure_project()
    assert "Una bozza" in instruction(service)
