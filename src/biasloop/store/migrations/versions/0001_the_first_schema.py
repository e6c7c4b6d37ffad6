"""The first schema"""

import sqlalchemy as sa
from alembic import op

from biasloop.store.database import UtcDateTime

revision = "0001"
down_revision = None


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
    """Makes all tables."""
    op.create_table(
        "annotations",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("item_id", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("standing", sa.String(length=8), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("policy_id", sa.String(length=12), nullable=False),
        sa.Column("annotator", sa.String(length=254), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_annotations")),
    )
    with op.batch_alter_table("annotations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_annotations_item_id"), ["item_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_annotations_key"), ["key"], unique=False)
        batch_op.create_index(batch_op.f("ix_annotations_task_id"), ["task_id"], unique=False)

    op.create_table(
        "bookmarks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bookmarks")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "policies",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
    )
    op.create_table(
        "rounds",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("waits_for", sa.Text(), nullable=True),
        sa.Column("retry_at", UtcDateTime(), nullable=True),
        sa.Column("owner", sa.String(length=80), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rounds")),
    )
    op.create_table(
        "tombstones",
        sa.Column("item_id", sa.String(length=20), nullable=False),
        sa.Column("ad_id", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "consensus",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.String(length=20), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.Column("support", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_consensus_round_id")),
        sa.PrimaryKeyConstraint("round_id", "item_id", name=op.f("pk_consensus")),
    )
    with op.batch_alter_table("consensus", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consensus_item_id"), ["item_id"], unique=False)

    op.create_table(
        "events",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_events_round_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
    )
    op.create_table(
        "models",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("classifier", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_models_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
    )
    op.create_table(
        "selections",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.String(length=20), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(length=16), nullable=False),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_selections_round_id")),
        sa.PrimaryKeyConstraint("round_id", "item_id", name=op.f("pk_selections")),
    )
    with op.batch_alter_table("selections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_selections_item_id"), ["item_id"], unique=False)

    op.create_table(
        "tasks",
        sa.Column("task_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.String(length=20), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_tasks_round_id")),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_tasks")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tasks_item_id"), ["item_id"], unique=False)

    op.create_table(
        "evaluations",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("model_id", sa.String(length=24), nullable=False),
        sa.Column("baseline_id", sa.String(length=24), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_evaluations_model_id")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_evaluations_round_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_evaluations")),
    )
    op.create_table(
        "promotions",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.String(length=24), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_promotions_model_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_promotions")),
    )
    op.create_table(
        "trained_on",
        sa.Column("model_id", sa.String(length=24), nullable=False),
        sa.Column("item_id", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_trained_on_model_id")),
        sa.PrimaryKeyConstraint("model_id", "item_id", name=op.f("pk_trained_on")),
    )
    with op.batch_alter_table("trained_on", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trained_on_item_id"), ["item_id"], unique=False)

    op.execute(f"CREATE VIEW item_trip AS {ITEM_TRIP}")
