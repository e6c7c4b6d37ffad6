"""Fixtures of a ledger, on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator

import pytest

from biasloop.store.ledger import Ledger


@pytest.fixture
def another(database_url: str) -> Iterator[Callable[[], Ledger]]:
    """Opens the same ledger once more, as another process would."""
    opened: list[Ledger] = []

    def open_ledger() -> Ledger:
        opened.append(Ledger(database_url))
        return opened[-1]

    yield open_ledger
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(another: Callable[[], Ledger]) -> Ledger:
    """An empty ledger at the newest schema."""
    empty = another()
    empty.migrate()
    return empty
