"""An analyst exports a labelled corpus and reads it with pandas."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from pandas.api import types

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.label import LabelSource
from biasloop.domain.round import Done, State
from biasloop.service.service import Service
from support.cli import SEEDS, Cli, write_jsonl
from support.workspaces import ADS

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
REWRITE = {"result": [{"from_name": "rewrite", "value": {"text": ["Cerchiamo personale"]}}]}


def vote(item: str, key: int, who: str, labels: Sequence[str], policy: str) -> Annotation:
    """A vote as the poll records it."""
    return Annotation(
        key=f"ls:{key}",
        item_id=item,
        source=LabelSource.HUMAN,
        standing=Standing.VOTE,
        labels=tuple(labels),
        asked=("gender", "age"),
        policy_id=policy,
        annotator=who,
        at=AT,
        seconds=3.5,
        task_id=key,
        extra=REWRITE,
    )


@pytest.fixture
def labelled(cli_with_model: Cli) -> Cli:
    """Three real items were asked about in round 0; two people answered."""
    service = Service(cli_with_model.workspace)
    pool, ledger, policy = service.pool, service.ledger, service.campaign.policy.id
    ids = pool.column("id")
    rows = [int(row) for row in (pool.column("origin") == "real").nonzero()[0][:3]]
    arms = ((Arm.AUDIT, 0.5), (Arm.ACQUISITION, None), (Arm.RANDOM_TRAIN, 0.1))
    ledger.rounds.open({}, AT)
    batch = tuple(
        Selection(str(ids[row]), row, arm, chance, position)
        for position, (row, (arm, chance)) in enumerate(zip(rows, arms, strict=True))
    )
    for records in ((), (), batch):
        claim = ledger.rounds.claim(AT, "test", datetime.now(UTC))
        assert claim
        ledger.rounds.commit(claim, Done(records=records), AT)
    assert ledger.rounds.get(0).state is State.SELECTED
    first, second, _ = (selection.item_id for selection in batch)
    ledger.record([vote(first, 11, "zoe@example.org", ["gender"], policy)])
    ledger.record([vote(second, 12, "anna@example.org", ["age"], policy)])
    ledger.record([vote(first, 13, "anna@example.org", ["gender", "age"], policy)])
    ledger.close()
    return cli_with_model


def tables(cli: Cli, *options: str) -> dict[str, pd.DataFrame]:
    paths = [Path(path) for path in cli.json("export", *options)]
    assert all(cli.workspace in path.parents for path in paths)
    read = {".parquet": pd.read_parquet, ".csv": pd.read_csv}
    return {path.stem: read[path.suffix](path) for path in paths}


def test_a_labelled_corpus(labelled: Cli) -> None:
    found = tables(labelled)
    items, votes, ads = found["items"], found["votes"], found["ads"]
    real = items[items["origin"] == "real"].set_index("arm")
    assert list(real.loc["audit", "labels"]) == ["gender", "age"]  # a tie finds, never hides
    assert list(real.loc["acquisition", "labels"]) == ["age"]
    assert real.loc["audit", "inclusion_probability"] == 0.5
    assert pd.isna(real.loc["acquisition", "inclusion_probability"])
    assert set(real["round"]) == {0}
    assert [len(policies) for policies in real["policies"]] == [1, 1]
    assert (items["label_source"] == "seed").sum() == SEEDS
    assert (items["label_source"] == "constructed").sum() > 0
    texts = ads.set_index("ad_id")["text"]
    for _, item in real.iterrows():
        assert texts[item["ad_id"]][item["start"] : item["end"]] == item["text"]
    assert set(ads["ad_id"]) == {ad["id"] for ad in ADS}
    assert types.is_datetime64_any_dtype(votes["at"])
    human = votes[votes["label_source"] == "human"].set_index("annotation")
    assert human.loc["ls:11", "at"] == pd.Timestamp(AT)
    assert human.loc["ls:11", "seconds"] == 3.5
    assert json.loads(human.loc["ls:12", "extra"]) == REWRITE
    assert dict(human["annotator"]) == {"ls:11": "A1", "ls:12": "A2", "ls:13": "A2"}
    assert not votes.map(lambda value: "example.org" in str(value)).any(axis=None)


def test_people_keep_their_pseudonyms(labelled: Cli) -> None:
    service = Service(labelled.workspace)
    (first,) = (a for a in service.ledger.annotations() if a.key == "ls:11")
    changed = vote(first.item_id, 11, "zoe@example.org", ["inclusive"], first.policy_id)
    service.ledger.record([changed])  # now the newest version of all
    service.ledger.close()
    votes = tables(labelled)["votes"].set_index("annotation")
    assert list(votes.loc[["ls:11", "ls:12"], "annotator"]) == ["A1", "A2"]


def test_the_whole_pool_with_the_models_verdict(labelled: Cli) -> None:
    found = tables(labelled, "--verdicts")["items"]
    assert len(found) == labelled.json("status")["pool"]["items"]
    assert found.filter(like="p_").shape[1] == 10
    assert found["p_gender"].between(0, 1).all()
    assert set(found["model"]) == {labelled.json("status")["model_in_service"]}
    assert found["flagged"].map(lambda flags: set(flags) <= {"gender", "age"}).any()


def test_csv_for_a_spreadsheet(labelled: Cli, tmp_path: Path) -> None:
    formula = '=HYPERLINK("http://example.org";"premi")'
    rows = write_jsonl(tmp_path / "f.jsonl", {"id": "=1+1", "title": "@x", "text": formula})
    labelled("import", rows)
    found = tables(labelled, "--format", "csv")
    for value in found["ads"].iloc[-1][["ad_id", "title", "text"]]:
        assert value.startswith("'")
    items = found["items"]
    audit = items[items["arm"] == "audit"].iloc[0]
    assert audit["labels"] == "gender|age"
    assert "csv, parquet" in labelled.error("export", "--format", "xlsx", code=2)
    assert "f.jsonl" in labelled.error("export", "--to", rows)


def test_a_workspace_without_labels_exports_its_ads(campaign: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path / "workspace")
    cli("init", cli.workspace, "--campaign", "job_ads_en")
    found = tables(cli)
    assert list(found["ads"].columns) == ["ad_id", "title", "text", "language", "source"]
    assert "inclusion_probability" in found["items"]
