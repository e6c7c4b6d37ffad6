"""Adds refused texts by language models"""

import sqlalchemy as sa
from alembic import op

from biasloop.store.database import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the table `rejections`."""
    op.create_table(
        "rejections",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("parents", sa.JSON(), nullable=False),
        sa.Column("roots", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_rejections_round_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_rejections")),
    )
