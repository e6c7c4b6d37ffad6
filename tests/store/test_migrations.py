"""The migrations make the schema that the code expects, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from biasloop.errors import LedgerError
from biasloop.store.database import Database
from biasloop.store.ledger import Ledger
from biasloop.store.schema import metadata


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def differences(database: Database) -> Any:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, metadata)


def whole_schema(database: Database) -> dict[str, Any]:
    with database.read() as connection:
        inspector = sa.inspect(connection)
        tables = {
            name: (str(inspector.get_columns(name)), inspector.get_pk_constraint(name))
            for name in inspector.get_table_names()
        }
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return tables | {"views": inspector.get_view_names(), "version": version}


def test_an_empty_database_differs(database: Database) -> None:
    assert len(differences(database)) >= len(metadata.tables)


def test_a_fresh_upgrade_equals_the_schema(database: Database) -> None:
    database.migrate()
    assert differences(database) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    database.migrate()
    before = whole_schema(database)
    assert before["views"] == ["item_trip"]
    database.migrate()
    assert whole_schema(database) == before


def test_tasks_pushed_before_they_were_numbered_are_kept(database: Database) -> None:
    database.migrate("0001")
    with database.write() as connection:
        for task, item in ((8, "b"), (5, "a")):
            connection.exec_driver_sql(
                "INSERT INTO tasks (task_id, item_id, round_id, at) "
                f"VALUES ({task}, '{item}', NULL, '2026-01-02 03:04:05')"
            )
    database.migrate()
    with database.read() as connection:
        rows = connection.execute(sa.text("SELECT seq, task_id, item_id FROM tasks")).all()
        assert [tuple(row) for row in rows] == [(1, 5, "a"), (2, 8, "b")]
        assert connection.execute(sa.text("SELECT count(*) FROM item_trip")).scalar() == 2


def test_a_ledger_of_a_newer_biasloop_is_refused(database: Database) -> None:
    database.migrate()
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match="newer biasloop"):
        database.migrate()


def test_check_requires_the_schema(database_url: str) -> None:
    ledger = Ledger(database_url)
    with pytest.raises(LedgerError, match="no tables"):
        ledger.check()
    ledger.migrate()
    ledger.check()
    ledger.close()
