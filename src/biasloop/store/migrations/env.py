"""Run by Alembic: applies the migrations on the connection that the ledger passes."""

from alembic import context

from biasloop.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
