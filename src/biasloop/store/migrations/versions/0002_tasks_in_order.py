"""Numbers the rows of `tasks` in the order of insertion, since task ids may be reused"""

import sqlalchemy as sa
from alembic import op

from biasloop.store.database import UtcDateTime

revision = "0002"
down_revision = "0001"

ITEM_TRIP = """
SELECT item_id, at, 'selected' AS fact, round_id, arm AS detail FROM selections
UNION ALL SELECT item_id, at, 'pushed', round_id, 'task ' || task_id FROM tasks
UNION ALL SELECT item_id, at, standing, NULL,
    source || ' by ' || annotator || ': ' || CAST(labels AS TEXT) || ' ' || reason
    FROM annotations
UNION ALL SELECT item_id, at, 'consensus', round_id,
    CAST(labels AS TEXT) || ' from ' || votes || ' votes' FROM consensus
UNION ALL SELECT t.item_id, m.at, 'trained on', m.round_id, m.id
    FROM trained_on t JOIN models m ON m.id = t.model_id
UNION ALL SELECT item_id, at, 'taken down', NULL, ad_id FROM tombstones
"""


def upgrade() -> None:
    """Copies the existing rows in the order of task ids."""
    op.execute("DROP VIEW item_trip")
    op.execute("CREATE TABLE tasks_before AS SELECT task_id, item_id, round_id, at FROM tasks")
    op.drop_table("tasks")
    op.create_table(
        "tasks",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.String(length=20), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_tasks_round_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_tasks")),
    )
    op.create_index(op.f("ix_tasks_item_id"), "tasks", ["item_id"])
    op.execute(
        "INSERT INTO tasks (task_id, item_id, round_id, at) "
        "SELECT task_id, item_id, round_id, at FROM tasks_before ORDER BY task_id"
    )
    op.execute("DROP TABLE tasks_before")
    op.execute(f"CREATE VIEW item_trip AS {ITEM_TRIP}")
