"""Sources: when each was read, how it is doing, and how often its host may be asked."""

from __future__ import annotations

from sqlalchemy import Column, Date, Integer, Table, Text

from digestmail.model.papers import Health
from digestmail.storage.schema.columns import Moment, UntrustedText, metadata, one_of

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("read_at", Moment, nullable=False),
    Column("complete_at", Moment),
)

source_health = Table(
    "source_health",
    metadata,
    Column("source", Text, primary_key=True),
    Column("category", Text, primary_key=True),
    Column("health", Text, nullable=False),
    Column("detail", UntrustedText, nullable=False),
    Column("read_at", Moment, nullable=False),
    Column("fresh_at", Moment),
    Column("absent_since", Moment),
    Column("reported_at", Moment),
    Column("parked_address", Text),
    one_of("health", Health),
)

validators = Table(
    "validators",
    metadata,
    Column("source", Text, primary_key=True),
    Column("url", Text, primary_key=True),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("version", Text),
    # When the full document was last received (not "304 Not Modified").
    Column("received_at", Moment, nullable=False),
    Column("stored_at", Moment, nullable=False),
)

host_limits = Table(
    "host_limits",
    metadata,
    Column("host", Text, primary_key=True),
    # Real time, even with `--now`: rate limits follow the server's clock.
    Column("next_at", Moment, nullable=False),
    # When requests may resume, as stated by the server (Retry-After).
    Column("blocked_until", Moment),
)

# What was spent on services with a daily budget, by UTC day.
api_usage = Table(
    "api_usage",
    metadata,
    # `summaries`, or the name of an index.
    Column("service", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("requests", Integer, nullable=False),
    # Of language models.
    Column("tokens", Integer, nullable=False),
)
