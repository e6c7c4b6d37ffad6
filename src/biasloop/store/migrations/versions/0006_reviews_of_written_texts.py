"""Adds reviews of texts by language models"""

import sqlalchemy as sa
from alembic import op

from biasloop.store.database import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds the table `reviews`."""
    op.create_table(
        "reviews",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kept", sa.Boolean(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("up_to", sa.Integer(), nullable=False),
        sa.Column("texts", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("gain", sa.JSON(), nullable=False),
        sa.Column("wrong", sa.JSON(), nullable=False),
        sa.Column("measured", sa.JSON(), nullable=False),
        sa.Column("n_items", sa.Integer(), nullable=False),
        sa.Column("n_roots", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_reviews_round_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_reviews")),
    )
