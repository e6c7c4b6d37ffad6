"""Adds trials of drafts of the guideline, and comments on them"""

import sqlalchemy as sa
from alembic import op

from biasloop.store.database import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds the tables `trials` and `comments`."""
    op.create_table(
        "trials",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=8), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=254), nullable=False),
        sa.Column("draft", sa.JSON(), nullable=False),
        sa.Column("draft_id", sa.String(length=12), nullable=False),
        sa.Column("against", sa.String(length=12), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("cases", sa.JSON(), nullable=False),
        sa.Column("stopped", sa.Text(), nullable=True),
        sa.Column("spending", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trials")),
    )
    op.create_index(op.f("ix_trials_id"), "trials", ["id"])
    op.create_table(
        "comments",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("trial", sa.String(length=8), nullable=False),
        sa.Column("scenario", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=254), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_comments")),
    )
    op.create_index(op.f("ix_comments_trial"), "comments", ["trial"])
