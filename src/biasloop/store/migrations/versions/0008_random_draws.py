"""Adds random draws"""

import sqlalchemy as sa
from alembic import op

from biasloop.store.database import PackedFloats, UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds the table `draws`. Earlier rounds have none: see rounds/design.py."""
    op.create_table(
        "draws",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(length=16), nullable=False),
        sa.Column("chances", PackedFloats(), nullable=False),
        sa.Column("hits", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_draws_round_id")),
        sa.PrimaryKeyConstraint("round_id", "arm", name=op.f("pk_draws")),
    )
