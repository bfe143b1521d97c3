"""Alembic migrations: what leads an old database to the newest schema."""
