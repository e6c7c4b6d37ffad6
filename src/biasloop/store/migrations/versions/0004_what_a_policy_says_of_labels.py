"""Adds to a policy the explanations that annotators see next to the labels"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Existing versions get no explanations."""
    with op.batch_alter_table("policies", schema=None) as batch_op:
        batch_op.add_column(sa.Column("labels", sa.JSON(), nullable=False, server_default="{}"))
