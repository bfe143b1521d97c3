"""Alembic's entry: runs the migrations on the connection it is handed."""

from __future__ import annotations

from alembic import context

from digestmail.storage import schema
from digestmail.storage.schema.columns import add_conditions

add_conditions(schema.metadata)
context.configure(
    connection=context.config.attributes["connection"], target_metadata=schema.metadata, render_as_batch=True
)
context.run_migrations()
