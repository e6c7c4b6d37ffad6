"""Filters of an export: each lets through what it says, and unknown names are refused."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import LabelSource
from biasloop.errors import UnknownName
from biasloop.reports.export.columns import kept_names
from biasloop.reports.export.filters import Filters
from biasloop.reports.export.record import Request, command
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from support.annotations import vote
from support.cli import write_jsonl
from support.exports import exported
from support.workspaces import CopyBare

ADS = (
    {"id": "a", "text": "Cercasi cuoca.", "source": "web", "employer": "ACME", "arm": "x"},
    {"id": "b", "text": "Cercasi cuoco.", "source": "fiera", "employer": "Rossi", "Arm": "y"},
    {"id": "c", "text": "Cercasi autista.", "employer": "ACME", "posted": "2026-02-03"},
)


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Service]:
    """Three ads of one item each; the first two have votes."""
    opened = Service(copy_bare(tmp_path / "workspace", "job_ads_en", 0))
    import_file(opened, write_jsonl(tmp_path / "ads.jsonl", *ADS))
    seed = {
        "id": "s", "text": "A waitress", "labels": ["gender"], "rewrite": "A server",
        "spans": [{"start": 2, "end": 10, "label": "gender"}],
    }  # fmt: skip
    import_file(opened, write_jsonl(tmp_path / "seeds.jsonl", seed), label_source=LabelSource.SEED)
    yield opened
    opened.close()


def ads_of(service: Service, **filters: Any) -> set[str | None]:
    rows = exported(service, "items", filters=Filters(**filters), whole=True)
    return {row["ad_id"] for row in rows}


@pytest.mark.parametrize(
    ("filters", "ads"),
    [
        ({}, {"a", "b", "c", None}),
        ({"where": (("employer", "ACME"),)}, {"a", "c"}),
        ({"where": (("employer", "ACME"), ("employer", "Rossi"))}, {"a", "b", "c"}),
        ({"where": (("employer", "ACME"), ("posted", "2026-02-03"))}, {"c"}),
        ({"source": ("web", "fiera")}, {"a", "b"}),
        ({"origin": ("seed",)}, {None}),
        ({"label_source": ("seed",)}, {None}),
        ({"label": ("gender",)}, {None}),
        ({"split": ("train", "audit")}, {"a", "b", "c", None}),
        ({"arm": ("audit",)}, set()),
        ({"since": date(2020, 1, 1)}, {None}),
        ({"until": date(2020, 1, 1)}, set()),
        ({"since": date.min, "until": date.max}, {None}),
        ({"agreement": 0.5}, set()),
    ],
)
def test_a_filter(service: Service, filters: dict[str, Any], ads: set[str | None]) -> None:
    assert ads_of(service, **filters) == ads


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"label": ("genre",)}, "no label 'genre'; known: gender, gender_others, age"),
        ({"round": (7,)}, "no round '7'; known: none"),
        ({"source": ("x",)}, "no source 'x'; known: fiera, web"),
        ({"split": ("test",)}, "no split 'test'; known: train, audit"),
        ({"arm": ("x",)}, "no arm 'x'; known: acquisition, audit, random_train, gold"),
        ({"annotator": ("A9",)}, "no annotator 'A9'; known: none"),
        ({"policy": ("x",)}, "no policy 'x'"),
        ({"where": (("boss", "x"),)}, "no column of the input 'boss'; known: employer, arm, Arm"),
    ],
)
def test_an_unknown_name_is_refused(service: Service, filters: dict[str, Any], told: str) -> None:
    with pytest.raises(UnknownName) as refused:
        ads_of(service, **filters)
    assert told in str(refused.value)


def test_votes_and_ads_follow_the_items(service: Service) -> None:
    filters = Filters(where=(("employer", "ACME"),))
    assert {ad["ad_id"] for ad in exported(service, "ads", filters=filters, whole=True)} == {
        "a",
        "c",
    }
    assert exported(service, "votes", filters=filters, whole=True) == []
    assert len(exported(service, "votes", filters=Filters(origin=("seed",)))) == 1


def test_people_agree_and_differ(service: Service) -> None:
    (a, b, _) = service.pool.items([0, 1, 2])
    labels = service.campaign.scheme.labels
    at = datetime(2026, 5, 4, 23, 30, tzinfo=UTC)

    def cast(key: int, item: str, who: str, label: str) -> Annotation:
        return vote(item, label, annotator=who, key=f"ls:{key}", task_id=key, at=at, asked=labels)

    service.ledger.record(
        [
            cast(1, a.id, "zoe", "gender"),
            cast(2, a.id, "anna", "gender"),
            cast(3, b.id, "anna", "age"),
            cast(4, b.id, "zoe", "gender"),
        ]
    )
    assert ads_of(service, agreement=0.9) == {"a"}
    assert ads_of(service, disagreement=0.5) == {"b"}
    assert ads_of(service, annotator=("A1",)) == {"a", "b"}
    assert ads_of(service, since=date(2026, 5, 4), until=date(2026, 5, 4)) == {"a", "b"}
    assert ads_of(service, label=("age",)) == {"b"}
    row = next(r for r in exported(service, "items") if r["item_id"] == b.id)
    assert (row["votes"], row["agreement"], row["share_age"]) == (2, 0.5, 0.5)
    assert row["labelled_at"] == at


def test_a_seed_has_its_spans_and_rewrite_in_columns(service: Service) -> None:
    (seed,) = exported(service, "votes")
    assert (seed["spans"], seed["rewrite"]) == ('{"gender": [[2, 10]]}', "A server")
    (item,) = exported(service, "items")
    assert (item["spans"], item["rewrite"]) == ('{"gender": [[2, 10]]}', "A server")


def test_columns_of_the_input_never_take_the_name_of_another(service: Service) -> None:
    assert kept_names(["Text", "arm", "ARM", "input_arm"], ["text", "arm"]) == {
        "Text": "input_Text", "arm": "input_arm", "ARM": "input_input_ARM",
        "input_arm": "input_input_input_arm",
    }  # fmt: skip
    for table in ("items", "ads"):
        names = {row["ad_id"]: row for row in exported(service, table, whole=True)}["a"]
        assert (names["employer"], names["input_arm"]) == ("ACME", "x")
        assert len({name.casefold() for name in names}) == len(names)


def test_the_command_shows_no_personal_data_of_filters() -> None:
    filters = Filters(
        source=("Rossi, rossi@example.org",),
        where=(("contact_person", "Anna Bianchi"), ("employer", "ACME")),
        label=("gender",),
    )
    shown = command(Request(filters=filters))
    assert "rossi@" not in shown
    assert "Bianchi" not in shown
    assert "--where employer=ACME" in shown
    kept = command(Request(filters=filters, keep_personal=True))
    assert "--where 'contact_person=Anna Bianchi'" in kept
