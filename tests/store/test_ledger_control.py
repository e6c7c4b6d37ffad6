"""Bookmarks, leases, pauses and events; messages when the database of the ledger fails."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from biasloop.errors import LedgerError
from biasloop.store.control import Lease
from biasloop.store.imports import ImportRecord
from biasloop.store.ledger import Ledger
from support.annotations import vote

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_bookmark_holds_the_last_value(ledger: Ledger) -> None:
    assert ledger.control.bookmark("poll_cursor") is None
    for value in ("2026-03-01", 17, {"a": ["è"]}, None):
        ledger.control.set_bookmark("poll_cursor", value)
        ledger.control.set_bookmark("other", "value")
        assert ledger.control.bookmark("poll_cursor") == value
    assert ledger.control.bookmark("other") == "value"


def test_a_lease_has_one_owner(ledger: Ledger) -> None:
    assert ledger.control.hold_lease("scheduler", "a", NOW, 10)
    assert ledger.control.hold_lease("other", "b", NOW, 10)
    assert not ledger.control.hold_lease("scheduler", "b", NOW + 9 * SECOND, 10)
    assert ledger.control.hold_lease("scheduler", "a", NOW + 9 * SECOND, 10)
    assert not ledger.control.hold_lease("scheduler", "b", NOW + 18 * SECOND, 10)
    assert ledger.control.hold_lease("scheduler", "b", NOW + 19 * SECOND, 10)
    assert not ledger.control.hold_lease("scheduler", "a", NOW + 19 * SECOND, 10)


def test_only_its_owner_can_release_a_lease(ledger: Ledger) -> None:
    ledger.control.hold_lease("scheduler", "a", NOW, 10)
    ledger.control.release_lease("scheduler", "b", NOW)
    assert not ledger.control.hold_lease("scheduler", "b", NOW, 10)
    ledger.control.release_lease("scheduler", "a", NOW)
    assert ledger.control.hold_lease("scheduler", "b", NOW, 10)


def test_two_never_hold_the_same_lease(another: Callable[[], Ledger], ledger: Ledger) -> None:
    ledgers = [another(), another()]
    for number in range(10):
        barrier = threading.Barrier(4)

        def race(i: int, name: str = f"{number}", barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            return ledgers[i % 2].control.hold_lease(name, f"owner {i}", NOW, 10)

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(race, range(4))) == 1


def test_the_pause_state_is_that_of_the_last_change(ledger: Ledger) -> None:
    assert ledger.control.pause_state() == "running"
    for kind in ("paused", "imported", "draining", "running"):
        ledger.control.note(kind, {"by": "hand"}, NOW)
        assert ledger.control.pause_state() == (kind if kind != "imported" else "paused")


def test_events_come_newest_first(ledger: Ledger) -> None:
    for number in range(4):
        ledger.control.note("imported", {"file": f"{number}.csv"}, NOW + number * SECOND)
    newest = ledger.control.events(limit=2)
    assert [event["data"]["file"] for event in newest] == ["3.csv", "2.csv"]
    assert (newest[0]["at"], newest[0]["kind"]) == (NOW + 3 * SECOND, "imported")
    assert newest[0]["round_id"] is None
    assert len(ledger.control.events()) == 4


def test_when_each_kind_of_event_last_happened(ledger: Ledger) -> None:
    ledger.rounds.open({}, NOW)
    for number in range(2):
        now = NOW + number * SECOND
        held = ledger.rounds.claim(now, "me", now)
        assert held is not None
        ledger.rounds.fail(held, "down", now, now)
    ledger.control.note("failed", {}, NOW + 9 * SECOND)
    assert ledger.control.events_of(0) == {"opened": NOW, "failed": NOW + SECOND}
    assert ledger.control.events_of(1) == {}


# --- a database that fails ------------------------------------------------------------------------


def error_message(url: str) -> str:
    """The message of the error when the ledger at this URL is migrated and read."""
    with pytest.raises(LedgerError) as error:  # noqa: PT012 - either may notice first
        ledger = Ledger(url)
        try:
            ledger.migrate()
            ledger.rounds.all()
        finally:
            ledger.close()
    return str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "ledger.db",
        "",
        "nodatabase://host/name",
        "mysql://user:geheim@host/name",  # its driver is not installed
        "postgresql+psycopg://user:geheim@host:port/name",
    ],
)
def test_the_message_about_a_wrong_url_shows_a_valid_one(url: str) -> None:
    message = error_message(url)
    assert "sqlite:///FILE or postgresql+psycopg://" in message
    assert "geheim" not in message


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database at all " * 300)
    message = error_message(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert str(tmp_path / "ledger.db") in message
    assert message.endswith("the file is damaged: replace it with a backup")


def test_a_damaged_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = Ledger(url)
    ledger.migrate()
    ledger.close()  # folds the write-ahead log into the file
    content = bytearray((tmp_path / "ledger.db").read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (tmp_path / "ledger.db").write_bytes(content)
    assert error_message(url).endswith("the file is damaged: replace it with a backup")


@pytest.mark.parametrize("name", ["", "not/there/ledger.db"])
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    message = error_message(f"sqlite:///{tmp_path / name}")
    assert message.endswith("check that the workspace exists, is writable and has free space")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"])
def test_a_server_that_does_not_answer(host: str) -> None:
    message = error_message(f"postgresql+psycopg://user:geheim@{host}/name")
    assert f"user:***@{host}" in message
    assert message.endswith("check ledger_url, and whether the server runs")


def test_a_database_that_is_not_there(postgres_url: str) -> None:
    message = error_message(f"{postgres_url}_not")
    assert "does not exist" in message
    assert message.endswith("check ledger_url, and whether the server runs")


def test_a_lock_held_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biasloop.store.database.BUSY_SECONDS", 0)
    one, two = (Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") for _ in range(2))
    one.migrate()
    with one._db.write(), pytest.raises(LedgerError, match="another process held the write lock"):
        two.control.note("imported", {}, NOW)
    two.control.note("imported", {}, NOW)
    one.close()
    two.close()


def test_what_imports_added_is_kept_and_found_by_the_beginning_of_an_id(ledger: Ledger) -> None:
    first = ImportRecord("aa11", NOW, "a.jsonl", rows=((0, 3), (7, 8)))
    second = ImportRecord("ab22", NOW + timedelta(days=1), "b.jsonl", (), ("x",), ("ad",))
    for record in (second, first, replace(first, file="c.jsonl")):
        ledger.imports.save(record)
    first = replace(first, file="c.jsonl")
    assert ledger.imports.all() == [first, second]
    assert ledger.imports.find("aa") == first
    assert ledger.imports.find(None) == second
    with pytest.raises(LedgerError, match="several imports begin with 'a'; known: ab22, aa11"):
        ledger.imports.find("a")
    ledger.imports.save(replace(second, undone_at=NOW))
    assert ledger.imports.find(None) == ledger.imports.find("ab") == replace(second, undone_at=NOW)


def test_a_lease_is_returned_as_it_was(ledger: Ledger) -> None:
    control = ledger.control
    for former in (None, Lease("a", NOW)):
        if former is not None:
            control.hold_lease("scheduler", "a", NOW, 0)
        assert control.hold_lease("scheduler", "b", NOW, 10)
        control.return_lease("scheduler", "c", None)
        assert control.lease("scheduler") == Lease("b", NOW + 10 * SECOND)
        control.return_lease("scheduler", "b", former)
        assert control.lease("scheduler") == former


def test_what_was_valid_before_a_moment_is_found(ledger: Ledger) -> None:
    times = [NOW + timedelta(microseconds=n) for n in range(3)]
    for n, at in enumerate(times):
        ledger.record([vote("one", f"label-{n}", key="k", at=at)])
    ledger.record([vote("two", "label", key="l", at=times[1])])
    before = ledger.annotations_before
    assert [a.labels for a in before(times[2], [])] == [("label-1",)]
    assert [a.labels for a in before(times[2], [times[1]])] == [("label-0",)]
    assert before(times[2], times[:2]) == before(NOW - timedelta(days=1), []) == []
