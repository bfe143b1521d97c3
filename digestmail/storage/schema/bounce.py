"""Bounces and complaints."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from digestmail.storage.schema.columns import Moment, UntrustedText, metadata

# The score of an address is computed from these rows, with decay. `domain` and `reason` show which bounces are alike,
# so that a block by one provider is not counted against many addresses.
bounces = Table(
    "bounces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    # The delivery that bounced, and the identity of the report: a report that is read twice counts once.
    Column("edition_id", Integer),
    Column("report", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("status", Text),
    Column("detail", UntrustedText, nullable=False),
    Column("at", Moment, nullable=False),
    Column("domain", Text, nullable=False),
    Column("reason", UntrustedText, nullable=False),
    Index(None, "subscriber_id", "at"),
    # A covering index for counting similar refusals.
    Index("ix_bounces_alike", "domain", "reason", "at", "kind", "subscriber_id"),
    Index(None, "at"),
)
