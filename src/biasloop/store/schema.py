"""The tables of the ledger. Facts are only appended; rounds and leases are updated."""

import sqlalchemy as sa

from biasloop.store.database import PackedFloats, UtcDateTime

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


def _time_column(name: str = "at") -> sa.Column[object]:
    return sa.Column(name, UtcDateTime, nullable=False)


def _round_id_column() -> sa.Column[object]:
    return sa.Column("round_id", sa.Integer, sa.ForeignKey("rounds.id"), nullable=True)


rounds = sa.Table(
    "rounds",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),
    _time_column("opened_at"),
    sa.Column("closed_at", UtcDateTime),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("waits_for", sa.Text),
    sa.Column("retry_at", UtcDateTime),
    sa.Column("owner", sa.String(80)),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("token", sa.Integer, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("owner", sa.String(80), nullable=False),
    _time_column("until"),
)

bookmarks = sa.Table(
    "bookmarks",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    _time_column(),
    _round_id_column(),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    _time_column(),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False, server_default="{}"),
)

annotations = sa.Table(
    "annotations",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(60), nullable=False, index=True),
    sa.Column("item_id", sa.String(20), nullable=False, index=True),
    sa.Column("source", sa.String(12), nullable=False),
    sa.Column("standing", sa.String(8), nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("asked", sa.JSON, nullable=False),
    sa.Column("policy_id", sa.String(12), nullable=False),
    sa.Column("annotator", sa.String(254), nullable=False),
    _time_column(),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float),
    sa.Column("task_id", sa.Integer, index=True),
    sa.Column("extra", sa.JSON, nullable=False),
)

selections = sa.Table(
    "selections",
    metadata,
    sa.Column("round_id", sa.Integer, sa.ForeignKey("rounds.id"), primary_key=True),
    sa.Column("item_id", sa.String(20), primary_key=True, index=True),
    sa.Column("row", sa.Integer, nullable=False),
    sa.Column("arm", sa.String(16), nullable=False),
    sa.Column("probability", sa.Float),
    sa.Column("position", sa.Integer, nullable=False),
    _time_column(),
)

draws = sa.Table(
    "draws",
    metadata,
    sa.Column("round_id", sa.Integer, sa.ForeignKey("rounds.id"), primary_key=True),
    sa.Column("arm", sa.String(16), primary_key=True),
    sa.Column("chances", PackedFloats, nullable=False),
    sa.Column("hits", sa.JSON, nullable=False),
    _time_column(),
)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    # Not unique: on SQLite, Label Studio reuses the ids of deleted tasks.
    sa.Column("task_id", sa.Integer, nullable=False),
    sa.Column("item_id", sa.String(20), nullable=False, index=True),
    _round_id_column(),
    _time_column(),
)

consensus = sa.Table(
    "consensus",
    metadata,
    sa.Column("round_id", sa.Integer, sa.ForeignKey("rounds.id"), primary_key=True),
    sa.Column("item_id", sa.String(20), primary_key=True, index=True),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("asked", sa.JSON, nullable=False),
    sa.Column("votes", sa.Integer, nullable=False),
    sa.Column("support", sa.JSON, nullable=False),
    _time_column(),
)

models = sa.Table(
    "models",
    metadata,
    sa.Column("id", sa.String(24), primary_key=True),
    _round_id_column(),
    _time_column(),
    sa.Column("classifier", sa.String(40), nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("card", sa.JSON, nullable=False),
)

trained_on = sa.Table(
    "trained_on",
    metadata,
    sa.Column("model_id", sa.String(24), sa.ForeignKey("models.id"), primary_key=True),
    sa.Column("item_id", sa.String(20), primary_key=True, index=True),
)

promotions = sa.Table(
    "promotions",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("model_id", sa.String(24), sa.ForeignKey("models.id"), nullable=False),
    _time_column(),
    sa.Column("why", sa.Text, nullable=False),
)

evaluations = sa.Table(
    "evaluations",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    _round_id_column(),
    sa.Column("model_id", sa.String(24), sa.ForeignKey("models.id"), nullable=False),
    sa.Column("baseline_id", sa.String(24)),
    _time_column(),
    sa.Column("report", sa.JSON, nullable=False),
)

rejections = sa.Table(
    "rejections",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    _round_id_column(),
    _time_column(),
    sa.Column("reason", sa.String(24), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("parents", sa.JSON, nullable=False),
    sa.Column("roots", sa.JSON, nullable=False),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("id", sa.String(8), nullable=False, index=True),
    _time_column(),
    sa.Column("by", sa.String(254), nullable=False),
    sa.Column("draft", sa.JSON, nullable=False),
    sa.Column("draft_id", sa.String(12), nullable=False),
    sa.Column("against", sa.String(12), nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("cases", sa.JSON, nullable=False),
    sa.Column("stopped", sa.Text),
    sa.Column("spending", sa.JSON, nullable=False),
)

comments = sa.Table(
    "comments",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("trial", sa.String(8), nullable=False, index=True),
    sa.Column("scenario", sa.Integer, nullable=False),
    _time_column(),
    sa.Column("by", sa.String(254), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    _round_id_column(),
    _time_column(),
    sa.Column("kept", sa.Boolean, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("up_to", sa.Integer, nullable=False),
    sa.Column("texts", sa.Integer, nullable=False),
    sa.Column("weight", sa.Float, nullable=False),
    sa.Column("gain", sa.JSON, nullable=False),
    sa.Column("wrong", sa.JSON, nullable=False),
    sa.Column("measured", sa.JSON, nullable=False),
    sa.Column("n_items", sa.Integer, nullable=False),
    sa.Column("n_roots", sa.Integer, nullable=False),
)

tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("item_id", sa.String(20), primary_key=True),
    sa.Column("ad_id", sa.Text, nullable=False),
    _time_column(),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("email", sa.String(254), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("role", sa.String(24), nullable=False),
    _time_column("added_at"),
    sa.Column("removed_at", UtcDateTime),
    sa.Column("policy_id", sa.String(12)),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("person_id", sa.String(12), sa.ForeignKey("people.id"), nullable=False, index=True),
    _time_column("made_at"),
    _time_column("until"),
)

item_trip = sa.table(
    "item_trip",
    sa.column("item_id", sa.String),
    sa.column("at", UtcDateTime),
    sa.column("fact", sa.String),
    sa.column("round_id", sa.Integer),
    sa.column("detail", sa.String),
)
"""A view of everything that happened to each item, derived from the facts (R5)."""
