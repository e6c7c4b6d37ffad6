"""`biasloop policy`: versions of the guideline and the votes given under each."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from biasloop.bootstrap import Biasloop, create_workspace
from biasloop.cli.context import WORKSPACE
from biasloop.cli.main import app
from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource
from biasloop.domain.policy import Policy

THEN = datetime(2026, 3, 1, tzinfo=UTC)


def test_versions_and_their_votes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_workspace(tmp_path / "w", "job_ads_en")
    monkeypatch.setenv(WORKSPACE, str(tmp_path / "w"))
    biasloop = Biasloop(tmp_path / "w")
    old, new = Policy("An older guideline."), biasloop.campaign.policy
    biasloop.ledger.add_policy(old, THEN)
    assert f"{new.id} is new" in CliRunner().invoke(app, ["policy"]).stdout
    biasloop.ledger.add_policy(new, THEN + timedelta(days=1))
    for number, policy in enumerate((old, old, new)):
        vote = Annotation(
            key=f"ls:{number}",
            item_id=f"item {number}",
            source=LabelSource.HUMAN,
            standing=Standing.VOTE,
            labels=("inclusive",),
            asked=(),
            policy_id=policy.id,
            annotator="anna@example.org",
            at=THEN,
        )
        biasloop.ledger.record([vote])
    biasloop.ledger.close()
    rows = json.loads(CliRunner().invoke(app, ["policy", "--json"]).stdout)
    assert [(row["policy"], row["votes"], row["now"]) for row in rows] == [
        (old.id, 2, False),
        (new.id, 1, True),
    ]
    told = CliRunner().invoke(app, ["policy"]).stdout
    assert "in force" in told
    assert "is new" not in told
