"""`biasloop policy`: versions of the guideline, the votes given under each, and what becomes of
them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from biasloop.cli.context import WORKSPACE
from biasloop.cli.main import app
from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.policy import Policy
from biasloop.errors import LabelStudioDown, LedgerError
from biasloop.service.service import Service
from support import annotations
from support.workspaces import CopyBare

THEN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path, copy_bare: CopyBare, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = copy_bare(tmp_path / "w", "job_ads_en")
    monkeypatch.setenv(WORKSPACE, str(folder))
    return folder


def vote(number: int, policy: Policy, *labels: str) -> Annotation:
    facts = {"key": f"ls:{number}", "policy_id": policy.id, "asked": (), "task_id": number}
    return annotations.vote(f"item {number}", *labels, **facts)


def test_versions_and_their_votes(workspace: Path) -> None:
    service = Service(workspace)
    old, new = Policy("An older guideline."), service.campaign.policy
    service.ledger.policies.add(old, THEN)
    assert f"{new.id} is new" in CliRunner().invoke(app, ["policy"]).stdout
    service.ledger.policies.add(new, THEN + timedelta(days=1))
    votes = [vote(number, policy, "inclusive") for number, policy in enumerate((old, old, new))]
    service.ledger.record(votes)
    service.ledger.close()
    found = json.loads(CliRunner().invoke(app, ["policy", "--json"]).stdout)
    rows = found["versions"]
    assert [(row["policy"], row["votes"], row["now"]) for row in rows] == [
        (old.id, 2, False),
        (new.id, 1, True),
    ]
    told = CliRunner().invoke(app, ["policy"]).stdout
    assert "in force" in told
    assert "is new" not in told
    assert found["waiting"] == {"versions": [old.id], "votes": 2}
    assert "2 votes were given under an older guideline" in told
    assert (
        f"{new.id} is new: 2 votes under older ones count"
        in CliRunner().invoke(app, ["status"], env={"COLUMNS": "200"}).stdout
    )


def test_a_decision_is_told_and_kept(workspace: Path) -> None:
    service = Service(workspace)
    old, new = Policy("An older guideline."), service.campaign.policy
    service.ledger.policies.add(old, THEN)
    service.ledger.record([vote(0, old, "gender"), vote(1, old, "inclusive")])
    asked = CliRunner().invoke(app, ["policy", "set-aside"])
    assert isinstance(asked.exception, LedgerError)
    assert "not in force yet" in str(asked.exception)
    service.ledger.policies.add(new, THEN + timedelta(days=1))

    done = CliRunner().invoke(app, ["policy", "set-aside", "--by", "rita"])
    assert f"rita decided for {new.id}: set-aside {old.id}" in done.stdout
    assert "2 answers were set aside" in done.stdout
    assert [a.standing for a in service.ledger.annotations()] == [Standing.ASIDE] * 2
    listed = json.loads(CliRunner().invoke(app, ["policy", "--json"]).stdout)
    assert listed["waiting"]["votes"] == 0
    assert [row["set_aside"] for row in listed["versions"]] == [2, 0]
    assert listed["decision"]["by"] == "rita"

    assert "2 answers count again" in CliRunner().invoke(app, ["policy", "keep"]).stdout
    assert [a.standing for a in service.ledger.annotations()] == [Standing.VOTE] * 2
    nothing = CliRunner().invoke(app, ["policy", "re-ask", "--labels", "height"])
    assert "no label height" in str(nothing.exception)
    service.ledger.close()


def test_without_older_votes_there_is_nothing_to_decide(workspace: Path) -> None:
    service = Service(workspace)
    service.ledger.policies.add(service.campaign.policy, THEN)
    service.ledger.close()
    done = CliRunner().invoke(app, ["policy", "keep"])
    assert "nothing to decide" in str(done.exception)


def test_re_asking_needs_label_studio_and_says_what_is_left_to_do(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIASLOOP_LABELSTUDIO__URL", "http://127.0.0.1:9")
    service = Service(workspace)
    old = Policy("An older guideline.")
    service.ledger.policies.add(old, THEN)
    service.ledger.policies.add(service.campaign.policy, THEN + timedelta(days=1))
    service.ledger.record([vote(0, old, "gender"), vote(1, old, "age"), vote(2, old, "gender")])
    done = CliRunner().invoke(app, ["policy", "re-ask", "--labels", "gender,family"])
    assert isinstance(done.exception, LabelStudioDown)
    assert "2 answers no longer count" in str(done.exception)
    assert "run `biasloop reconcile`" in str(done.exception)
    standing = [a.standing for a in sorted(service.ledger.annotations(), key=lambda a: a.key)]
    assert standing == [Standing.ASIDE, Standing.VOTE, Standing.ASIDE]
    service.ledger.close()


def test_a_guideline_is_not_adopted_by_halves(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIASLOOP_LABELSTUDIO__URL", "http://127.0.0.1:9")
    service = Service(workspace)
    service.ledger.policies.add(service.campaign.policy, THEN)
    campaign = workspace / "campaign"
    before = {path.name: path.read_bytes() for path in campaign.glob("*.*")}
    draft = workspace / "draft.md"
    draft.write_text("# Another guideline\n", "utf-8")
    done = CliRunner().invoke(app, ["policy", "adopt", str(draft)])
    assert isinstance(done.exception, LabelStudioDown)
    assert {path.name: path.read_bytes() for path in campaign.glob("*.*")} == before
    assert len(service.ledger.policies.history()) == 1
    service.ledger.close()


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["nowhere.md"], "no trial"),
        (["f00d"], "no trial"),
        (["campaign/guidelines.md", "--keep", "--set-aside"], "give only one of"),
        (["campaign/guidelines.md", "--re-ask", "height"], "no label height"),
        (["campaign/label_config.xml.none"], "no trial"),
    ],
)
def test_what_cannot_be_adopted(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], wrong: str
) -> None:
    monkeypatch.chdir(workspace)
    done = CliRunner().invoke(app, ["policy", "adopt", *options])
    assert wrong in str(done.exception)
