"""What steers the loop from the ledger, and what the ledger says when its database fails."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from biasloop.errors import LedgerError
from biasloop.store.ledger import Ledger

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_bookmark_holds_what_was_last_put_there(ledger: Ledger) -> None:
    assert ledger.control.bookmark("poll_cursor") is None
    for value in ("2026-03-01", 17, {"a": ["è"]}, None):
        ledger.control.set_bookmark("poll_cursor", value)
        ledger.control.set_bookmark("other", "mine")
        assert ledger.control.bookmark("poll_cursor") == value
    assert ledger.control.bookmark("other") == "mine"


def test_a_lease_is_held_by_one(ledger: Ledger) -> None:
    assert ledger.control.hold_lease("scheduler", "a", NOW, 10)
    assert ledger.control.hold_lease("other", "b", NOW, 10)
    assert not ledger.control.hold_lease("scheduler", "b", NOW + 9 * SECOND, 10)
    assert ledger.control.hold_lease("scheduler", "a", NOW + 9 * SECOND, 10)
    assert not ledger.control.hold_lease("scheduler", "b", NOW + 18 * SECOND, 10)
    assert ledger.control.hold_lease("scheduler", "b", NOW + 19 * SECOND, 10)
    assert not ledger.control.hold_lease("scheduler", "a", NOW + 19 * SECOND, 10)


def test_a_lease_is_given_back_by_its_holder_only(ledger: Ledger) -> None:
    ledger.control.hold_lease("scheduler", "a", NOW, 10)
    ledger.control.release_lease("scheduler", "b")
    assert not ledger.control.hold_lease("scheduler", "b", NOW, 10)
    ledger.control.release_lease("scheduler", "a")
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


def test_the_last_word_on_pausing_holds(ledger: Ledger) -> None:
    assert ledger.control.pause_state() == "running"
    for kind in ("paused", "imported", "draining", "running"):
        ledger.control.note(kind, {"by": "hand"}, NOW)
        assert ledger.control.pause_state() == (kind if kind != "imported" else "paused")


def test_events_come_newest_first(ledger: Ledger) -> None:
    for number in range(4):
        ledger.control.note("imported", {"file": f"{number}.csv"}, NOW + number * SECOND)
    found = ledger.control.events(limit=2)
    assert [event["data"]["file"] for event in found] == ["3.csv", "2.csv"]
    assert (found[0]["at"], found[0]["kind"]) == (NOW + 3 * SECOND, "imported")
    assert found[0]["round_id"] is None
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


def refusal(url: str) -> str:
    """What migrating and reading says."""
    with pytest.raises(LedgerError) as told:  # noqa: PT012 - either may notice first
        ledger = Ledger(url)
        try:
            ledger.migrate()
            ledger.rounds.all()
        finally:
            ledger.close()
    return str(told.value)


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
def test_a_wrong_url_says_how_a_right_one_looks(url: str) -> None:
    said = refusal(url)
    assert "sqlite:///FILE or postgresql+psycopg://" in said
    assert "geheim" not in said


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database at all " * 300)
    said = refusal(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert str(tmp_path / "ledger.db") in said
    assert said.endswith("the file is damaged: put a backup in its place")


def test_a_damaged_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = Ledger(url)
    ledger.migrate()
    ledger.close()  # folds the write-ahead log into the file
    content = bytearray((tmp_path / "ledger.db").read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (tmp_path / "ledger.db").write_bytes(content)
    assert refusal(url).endswith("the file is damaged: put a backup in its place")


@pytest.mark.parametrize("name", ["", "not/there/ledger.db"])
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    said = refusal(f"sqlite:///{tmp_path / name}")
    assert said.endswith("check that the workspace exists, may be written and has free space")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"])
def test_a_server_that_does_not_answer(host: str) -> None:
    said = refusal(f"postgresql+psycopg://user:geheim@{host}/name")
    assert f"user:***@{host}" in said
    assert said.endswith("check ledger_url, and that the server runs")


def test_a_database_that_is_not_there(postgres_url: str) -> None:
    said = refusal(f"{postgres_url}_not")
    assert "does not exist" in said
    assert said.endswith("check ledger_url, and that the server runs")


def test_a_lock_held_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biasloop.store.database.BUSY_SECONDS", 0)
    one, two = (Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") for _ in range(2))
    one.migrate()
    with one._db.write(), pytest.raises(LedgerError, match="another process held the write lock"):
        two.control.note("imported", {}, NOW)
    two.control.note("imported", {}, NOW)
    one.close()
    two.close()
