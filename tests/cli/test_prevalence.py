"""`biasloop prevalence`: shares of the pool, from audit items and verdicts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from biasloop.cli.context import WORKSPACE
from biasloop.cli.main import app
from biasloop.domain.item import synthetic_item
from biasloop.domain.split import Split
from biasloop.errors import ConfigError, DataError
from biasloop.reports.grouping import group_ads
from biasloop.rounds.steps.stored_verdicts import proba_columns, write_verdicts
from biasloop.service.service import Service
from support.audited_pool import ADS, audit, import_waiters, is_waiter
from support.workspaces import CopyBare


@pytest.fixture
def service(
    tmp_path: Path, copy_bare: CopyBare, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    folder = copy_bare(tmp_path / "w", "job_ads_en")
    monkeypatch.setenv(WORKSPACE, str(folder))
    monkeypatch.setenv("COLUMNS", "160")
    service = Service(folder)
    import_waiters(service, folder)
    yield service
    service.close()


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["prevalence", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return " ".join(done.stdout.split())


def shares(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["prevalence", "--json", *arguments], catch_exceptions=False)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_the_share_of_sentences_is_that_of_the_pool_not_of_what_was_labelled(
    service: Service,
) -> None:
    audit(service, 120)
    truth = is_waiter(service).mean()
    report = shares("--label", "gender")
    (group,) = report["groups"]
    (share,) = group["labels"]
    assert (group["items"], group["ads"]) == (len(service.pool), ADS)
    assert share["low"] < truth < share["high"] < truth + 0.1
    assert share["raw"] > 0.5
    assert 0.5 < share["trust"] <= 1
    assert (share["audited"], report["audited"], report["unanswered"]) == (120, 120, 0)
    assert report["model"] == "m1"
    printed = run("--label", "gender", "--plan", "2")
    assert f"gender {100 * share['value']:.1f} %" in printed
    assert f"{share['positives']} of 120" in printed
    assert str(share["plan"]) in printed
    assert "a strategy chose most of it" in printed


def test_a_rare_label_is_not_estimable_and_says_how_many_labels_would_do(
    service: Service,
) -> None:
    audit(service, 120)
    (group,) = shares()["groups"]
    age = next(share for share in group["labels"] if share["label"] == "age")
    assert (age["low"], age["value"], age["positives"]) == (None, None, 0)
    assert age["needed"] > 1_000
    assert f"not estimable (about {age['needed']} audit labels needed)" in run("--label", "age")


def test_of_ads_there_are_bounds(service: Service) -> None:
    audit(service, 120, skill=1.0)
    (group,) = shares("--label", "gender", "--unit", "ad")["groups"]
    (share,) = group["labels"]
    assert share["value"] is None
    assert share["low"] < 1 == share["high"]  # every ad asks for a waiter
    assert share["by_model"] == 1
    assert "between" in run("--label", "gender", "--unit", "ad")


def test_by_column_and_by_month(service: Service) -> None:
    audit(service, 150)
    truth, ad = is_waiter(service), service.pool.column("ad_id")
    odd = np.array([int(name.removeprefix("ad-")) % 2 for name in ad]) == 1
    groups = shares("--label", "gender", "--by", "sector")["groups"]
    assert [group["group"] for group in groups] == ["hotel", "shop"]
    for group, inside in zip(groups, (odd, ~odd), strict=True):
        (share,) = group["labels"]
        assert group["items"] == inside.sum()
        assert share["low"] < truth[inside].mean() < share["high"]
    months = shares("--label", "gender", "--by", "month")["groups"]
    assert [group["group"] for group in months] == ["2026-01", "2026-02", "2026-03"]
    assert sum(group["items"] for group in months) == len(service.pool)
    assert "sector hotel: " in run("--label", "gender", "--by", "sector")


def test_intervals_that_hold_together_are_wider(service: Service) -> None:
    audit(service, 120)
    widths = []
    for arguments in ((), ("--together",)):
        (group,) = shares(*arguments)["groups"]
        share = next(share for share in group["labels"] if share["label"] == "gender")
        widths.append(share["high"] - share["low"])
    assert widths[1] > widths[0]


def test_what_cannot_be_estimated_says_what_to_do(service: Service) -> None:
    assert "no audit item is labelled yet" in run()
    audit(service, 120)
    for arguments, error, message in (
        (["--by", "employer"], DataError, "there are: sector, published, source, language"),
        (["--by", "month:sector"], DataError, "month:published"),
        (["--unit", "word"], ConfigError, "sentence or ad"),
        (["--label", "nonsense"], ConfigError, "the labels are: "),
        (["--plan", "0"], ConfigError, "between 0 and 50"),
    ):
        found = CliRunner().invoke(app, ["prevalence", *arguments]).exception
        assert isinstance(found, error)
        assert message in str(found)


def test_items_that_the_model_learned_from_count_by_models_that_had_not_seen_them(
    service: Service,
) -> None:
    ids, split = service.pool.column("id"), service.pool.column("split")
    learned = tuple(ids[split == Split.TRAIN].tolist())
    audit(service, 120, trained_on=learned)
    report = shares("--label", "gender")
    assert report["model"] is None
    assert "out-of-fold probabilities" in report["why_no_verdicts"]
    (share,) = report["groups"][0]["labels"]
    assert (share["trust"], share["by_model"]) == (0, None)
    assert share["low"] < is_waiter(service).mean() < share["high"]
    # verdicts of a model that had not seen them flag nobody in the train ads
    names = service.campaign.scheme.labels
    table = pd.DataFrame(0.0, range(len(learned)), proba_columns(names)).assign(item_id=learned)
    service.layout.models.mkdir(exist_ok=True)
    write_verdicts(service.layout.models, "m1", "oof", table)
    report = shares("--label", "gender")
    assert report["model"] == "m1"
    assert report["groups"][0]["labels"][0]["by_model"] < 0.1


def test_items_without_an_ad_have_a_group_of_their_own(service: Service) -> None:
    train = int(np.flatnonzero(service.pool.column("split") == Split.TRAIN)[0])
    parents = tuple(service.pool.items([train]))
    written = [synthetic_item(parents, f"Cook number {n} wanted.", "write") for n in range(3)]
    service.pool.append(written)
    grouping = group_ads(service, np.arange(len(service.pool)), "sector")
    assert grouping.names == ("(none)", "hotel", "shop")
    assert (grouping.number == 0).sum() == len(written)
    assert group_ads(service, np.arange(0), "sector").names == ()
