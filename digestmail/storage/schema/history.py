"""What happened on the last days, for the operator: runs, readings of sources, and messages by recipient domain."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Integer, Table, Text

from digestmail.model.history import RunOutcome
from digestmail.storage.schema.columns import Moment, UntrustedText, metadata, one_of

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started_at", Moment, nullable=False, index=True),
    # NULL while it is at work, and for ever if it was killed.
    Column("ended_at", Moment),
    Column("outcome", Text),
    # What went wrong first.
    Column("detail", UntrustedText, nullable=False),
    Column("new_papers", Integer, nullable=False),
    Column("editions", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    # The size of the database at its end.
    Column("database_bytes", BigInteger),
    one_of("outcome", RunOutcome),
)

# Problems that the operator was told about, or will be if they last.
incidents = Table(
    "incidents",
    metadata,
    Column("key", UntrustedText, primary_key=True),
    Column("text", UntrustedText, nullable=False),
    Column("began_at", Moment, nullable=False),
    Column("announced_at", Moment),
    # It is over, and this is to be announced.
    Column("ended_at", Moment),
)

# How the readings of a source went on one day in UTC.
source_days = Table(
    "source_days",
    metadata,
    Column("source", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("readings", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("new_papers", Integer, nullable=False),
)

# Deliveries that ended on one day in UTC. Domains with few messages are counted together under "", because the name of
# a domain may be that of a person.
domain_days = Table(
    "domain_days",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("sent", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
)
