"""Settings of the installation, and answers kept for repeated API requests."""

from __future__ import annotations

from sqlalchemy import Column, SmallInteger, Table, Text

from digestmail.storage.schema.columns import Moment, metadata

settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# API writes with an Idempotency-Key. A repeated request with the same key gets the stored response.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    # SHA-256 of method, path and body. The same key with a different request is refused.
    Column("request", Text, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("response", Text, nullable=False),
    Column("at", Moment, nullable=False, index=True),
)
