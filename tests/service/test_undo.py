"""An import that was a mistake is taken back, and what people did stays."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biasloop.domain.annotation import Standing
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.item import Item, synthetic_item
from biasloop.domain.label import LabelSource
from biasloop.domain.model import ModelVersion
from biasloop.domain.split import Split
from biasloop.domain.task import PushedTask
from biasloop.errors import LedgerError
from biasloop.intake.dry_run import DryPool
from biasloop.service import undo
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.store.control import SCHEDULER_LEASE, Event
from biasloop.store.pool import ArrowPool
from support import annotations
from support.cli import write_jsonl
from support.workspaces import CopyBare

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GENDER, NONE = ["gender"], ["inclusive"]


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Service]:
    service = Service(copy_bare(tmp_path / "w", "job_ads_en", 0))
    yield service
    service.close()


def rows_of_ads(*numbers: int, text: str = "Waiter wanted for place") -> list[dict[str, Any]]:
    return [{"id": f"ad-{n}", "text": f"{text} {n}."} for n in numbers]


def bring_in(service: Service, *rows: dict[str, Any], **options: Any) -> str:
    path = write_jsonl(service.layout.folder / "in.jsonl", *rows)
    return import_file(service, path, **options).import_id


def items_here(service: Service) -> dict[str, Item]:
    """The items of the pool that are not erased, by text."""
    pool = service.pool
    erased = pool.column("erased")
    rows = [row for row in range(len(pool)) if not erased[row]]
    return {item.text: item for item in pool.items(rows)}


def labels_here(service: Service) -> dict[str, tuple[LabelSource, tuple[str, ...]]]:
    return {
        a.item_id: (a.source, a.labels)
        for a in service.ledger.annotations()
        if a.standing is Standing.VOTE
    }


def test_a_corrected_file_is_taken_in(service: Service) -> None:
    bring_in(service, *rows_of_ads(0))
    mistake = bring_in(service, *rows_of_ads(0, 1, 2, text="Waiter wanted for place"))
    done = undo.undo(service, mistake)
    assert (len(done.rows), done.ads, done.kept) == (2, ("ad-1", "ad-2"), {})
    assert set(items_here(service)) == {"Waiter wanted for place 0."}

    path = write_jsonl(
        service.layout.folder / "in.jsonl", *rows_of_ads(1, 2, text="Cook wanted in")
    )
    report = import_file(service, path)
    assert (report.ads, report.items, report.rejects) == (2, 2, 0)
    path = write_jsonl(
        service.layout.folder / "in.jsonl", *rows_of_ads(1, 2, text="Cook wanted in")
    )
    assert import_file(service, path).duplicates == 2
    assert service.pool.ads(["ad-1"])["ad-1"].text == "Cook wanted in 1."
    (kind, data) = next(
        (e["kind"], e["data"]) for e in service.ledger.control.events() if "undone" in e["kind"]
    )
    assert (kind, data["import"], data["items"]) == (Event.IMPORT_UNDONE, mistake, 2)


def test_the_last_import_is_meant_also_when_it_was_taken_back(service: Service) -> None:
    """Those who call it twice do not lose the import before."""
    with pytest.raises(LedgerError, match="no import that can be taken back"):
        undo.undo(service, None)
    first, second = bring_in(service, *rows_of_ads(1)), bring_in(service, *rows_of_ads(2))
    assert undo.undo(service, None).record.id == second
    again = undo.undo(service, None)
    assert (again.record.id, again.is_empty) == (second, True)
    assert len(items_here(service)) == 1
    assert len(undo.undo(service, first).rows) == 1
    with pytest.raises(LedgerError, match=f"no import begins with 'xx'; known: {second}, {first}"):
        undo.plan_undo(service, "xx")


def test_what_was_used_since_stays_with_all_votes(service: Service) -> None:
    imported = bring_in(
        service,
        *rows_of_ads(*range(40)),
        *({"id": f"s-{n}", "text": f"Seed {n}.", "labels": GENDER} for n in range(3)),
    )
    items = items_here(service)
    train = [i for i in items.values() if i.ad_id and i.split is Split.TRAIN]
    answered, selected, pushed, parent, trained = train[:5]
    service.ledger.record([annotations.vote(answered.id, "gender", task_id=7)])
    service.ledger.rounds.open({}, NOW)
    row = int(service.pool.rows_of([selected.id])[0])
    facts = [
        Selection(item_id=selected.id, row=row, arm=Arm.AUDIT, probability=None, position=0),
        PushedTask(pushed.id, 1),
    ]
    service.ledger.add(facts, NOW, 0)
    seed = items["Seed 0."]
    model = ModelVersion("m-1", "tfidf", 1, "m-1", {}, (trained.id, seed.id))
    service.ledger.add([model], NOW)
    service.pool.append([synthetic_item((parent,), "A copy of it.", "swap")])

    done = undo.undo(service, imported)

    assert done.kept == {
        undo.ANSWERED: [answered.id],
        undo.ASKED: [item.id for item in train if item in (selected, pushed)],
        undo.LEARNED: [seed.id, trained.id],
        undo.COPIED: [parent.id],
    }
    stay = {answered.text, selected.text, pushed.text, parent.text, trained.text, seed.text}
    assert set(items_here(service)) == stay | {"A copy of it."}
    assert labels_here(service) == {answered.id: (LabelSource.HUMAN, ("gender",))}
    assert service.pool.ads([answered.ad_id])
    again = undo.undo(service, imported)
    assert (again.is_empty, again.kept) == (True, done.kept)
    # An answer that comes later does no harm, and nothing that stayed comes twice.
    assert import_file(service, service.layout.folder / "in.jsonl").items == 43 - 6
    assert labels_here(service)[seed.id] == (LabelSource.SEED, ("gender",))


def test_a_copy_of_a_copy_keeps_all_its_ancestors() -> None:
    def item(name: str, *parents: str) -> Item:
        return Item(name, name, name, ("r",), Split.TRAIN, "synthetic", parents=parents)  # type: ignore[arg-type]

    synthetic = [item("b", "a"), item("c", "b"), item("y", "x")]
    uses: dict[str, set[str]] = {"used": {"c"}, "also": {"c", "z"}}
    kept = undo.reasons_to_keep(list("abcxyz"), uses, synthetic)
    assert kept == {"a": undo.COPIED, "b": undo.COPIED, "c": "used", "z": "also"}
    assert undo.reasons_to_keep(["a"], {}, synthetic) == {"a": undo.COPIED}


def test_labels_are_put_back_to_what_they_were(service: Service) -> None:
    def seed(labels: list[str]) -> dict[str, Any]:
        return {"id": "s", "root": "r", "text": "He wanted.", "labels": labels}

    first = bring_in(service, seed(GENDER))
    second = bring_in(service, seed(NONE), {"id": "t", "text": "She too.", "labels": NONE})
    third = bring_in(service, seed(["age"]))
    one = items_here(service)["He wanted."].id
    done = undo.undo(service, third)
    assert done.facts()["labels_put_back"] == 1
    assert labels_here(service)[one] == (LabelSource.SEED, ("inclusive",))
    third = bring_in(service, seed(["age"]))
    assert undo.undo(service, second).facts()["items"] == 1, "the text of the third stays"
    assert labels_here(service) == {one: (LabelSource.SEED, ("age",))}
    undo.undo(service, third)
    assert labels_here(service) == {one: (LabelSource.SEED, ("gender",))}
    undo.undo(service, first)
    assert (labels_here(service), items_here(service)) == ({}, {})


def test_what_was_taken_down_stays_so(service: Service) -> None:
    from biasloop.service.takedown import take_down

    imported = bring_in(service, *rows_of_ads(1, 2))
    take_down(service, "ad-1")
    assert undo.undo(service, imported).ads == ("ad-2",)
    path = write_jsonl(service.layout.folder / "in.jsonl", *rows_of_ads(1, 2))
    assert [import_file(service, path).items, import_file(service, path).rejects] == [1, 1]


class Killed(BaseException):
    """Ends a call at a place."""


def test_killed_at_any_moment_the_next_call_does_the_rest(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*rows_of_ads(1, 2), {"id": "t", "text": "She too.", "labels": NONE}]
    imported = bring_in(service, *rows)
    ledger = service.ledger

    def kill(*_: object) -> None:
        raise Killed

    for part, name in ((ledger, "record"), (ArrowPool, "remove"), (ledger.imports, "save")):
        with monkeypatch.context() as patched:
            patched.setattr(part, name, kill)
            with pytest.raises(Killed):
                undo.undo(service, None)
    assert not undo.undo(service, None).rows.size
    assert (items_here(service), labels_here(service)) == ({}, {})
    assert [r.undone_at is None for r in ledger.imports.all()] == [False]
    bring_in(service, *rows)
    assert undo.undo(service, imported).is_empty, "what came later is of another import"
    assert len(items_here(service)) == 3


@pytest.mark.parametrize("place", ["before the items", "after the items"])
def test_an_import_that_was_killed_is_taken_back_as_well(
    service: Service, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    kept = bring_in(service, *rows_of_ads(0))
    extend, append = ArrowPool._extend, ArrowPool.append

    def only_ads(self: ArrowPool, name: str, *args: Any) -> tuple[int, int]:
        if name == "items":
            raise Killed
        return extend(self, name, *args)

    def whole(self: ArrowPool, *args: Any) -> tuple[int, int]:
        append(self, *args)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(
            ArrowPool, *(("_extend", only_ads) if "before" in place else ("append", whole))
        )
        with pytest.raises(Killed):
            bring_in(service, *rows_of_ads(0, 1, 2))
    assert service.pool.ads(["ad-1"])
    done = undo.undo(service, None)
    assert done.record.id != kept
    assert done.ads == ("ad-1", "ad-2")
    assert set(items_here(service)) == {"Waiter wanted for place 0."}
    assert service.pool.ads(["ad-0", "ad-1"]).keys() == {"ad-0"}


def test_while_a_service_runs_nothing_is_changed(service: Service) -> None:
    imported = bring_in(service, *rows_of_ads(1))
    control = service.ledger.control
    assert control.hold_lease(SCHEDULER_LEASE, "host/1/abc", datetime.now(UTC), 60)
    with pytest.raises(LedgerError, match="host/1/abc runs the loop of this workspace"):
        undo.undo(service, imported)
    assert len(undo.plan_undo(service, imported).rows) == len(items_here(service)) == 1
    control.release_lease(SCHEDULER_LEASE, "host/1/abc", datetime.now(UTC))
    before = control.lease(SCHEDULER_LEASE)
    undo.undo(service, imported)
    assert control.lease(SCHEDULER_LEASE) == before, "who ran the loop last is still known"
    assert control.hold_lease(SCHEDULER_LEASE, "host/1/abc", datetime.now(UTC), 60)


def test_a_dry_import_leaves_no_record(service: Service) -> None:
    path = write_jsonl(service.layout.folder / "in.jsonl", *rows_of_ads(1))
    assert import_file(service, path, dry_run=DryPool(service.pool)).import_id == ""
    assert service.ledger.imports.all() == []
    assert service.ledger.control.events() == []


FILES = st.lists(st.sets(st.integers(0, 7), min_size=1), min_size=2, max_size=3)
ACTS = st.lists(
    st.tuples(st.sampled_from(["import", "undo", "vote"]), st.integers(0, 7)), max_size=9
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=FILES, acts=ACTS)
def test_any_history_loses_no_vote_and_takes_everything_in_again(
    files: list[set[int]],
    acts: list[tuple[str, int]],
    tmp_path_factory: pytest.TempPathFactory,
    copy_bare: CopyBare,
) -> None:
    """Against a dictionary: which import added which ad, and who voted."""
    service = Service(copy_bare(tmp_path_factory.mktemp("w") / "w", "job_ads_en", 0))
    added_by: dict[int, str] = {}
    voted: set[int] = set()

    def items() -> dict[int, Item]:
        return {int(i.ad_id.removeprefix("ad-")): i for i in items_here(service).values()}

    for act, number in acts:
        known = service.ledger.imports.all()
        if act == "import":
            numbers = files[number % len(files)]
            imported = bring_in(service, *rows_of_ads(*sorted(numbers)))
            added_by |= {n: imported for n in numbers if n not in added_by}
        elif act == "undo" and known:
            record = known[number % len(known)]
            undo.undo(service, record.id)
            gone = {n for n, by in added_by.items() if by == record.id and n not in voted}
            added_by = {n: by for n, by in added_by.items() if n not in gone}
        elif act == "vote" and number in added_by:
            service.ledger.record([annotations.vote(items()[number].id, "gender", task_id=number)])
            voted.add(number)
        here = items()
        assert here.keys() == added_by.keys()
        assert labels_here(service).keys() == {here[n].id for n in voted}
        ads = service.pool.ads([f"ad-{n}" for n in range(8)])
        assert ads.keys() == {f"ad-{n}" for n in here}
    bring_in(service, *rows_of_ads(*range(8)))
    assert items().keys() == set(range(8))
    service.close()
