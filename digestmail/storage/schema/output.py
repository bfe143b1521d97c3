"""Outputs beside email: editions that are queued for them, their attempts, and outputs that were stopped."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from digestmail.model.deliveries import DeliveryState
from digestmail.storage.schema.columns import Moment, UntrustedText, metadata, one_of

_OPEN = "state IN ('queued', 'sending', 'deferred')"
_WAITING = text("due_at IS NOT NULL")

output_deliveries = Table(
    "output_deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("edition_id", ForeignKey("editions.id"), nullable=False),
    Column("output", Text, nullable=False),
    # A fingerprint of the address, for outputs with several; otherwise empty.
    Column("destination", Text, nullable=False),
    # The identity of the message for its receiver, the same for every attempt.
    Column("token", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    # A claim moves `due_at` to the end of its lease.
    Column("due_at", Moment),
    Column("fence", Integer, nullable=False),
    Column("queued_at", Moment, nullable=False),
    # The last attempt. Earlier attempts are in `output_attempts`.
    Column("ended_at", Moment),
    Column("code", SmallInteger),
    Column("text", UntrustedText),
    Column("milliseconds", Integer),
    UniqueConstraint("edition_id", "output", "destination"),
    one_of("state", DeliveryState),
    CheckConstraint(f"({_OPEN}) = (due_at IS NOT NULL)", name="open_is_due"),
)
Index(
    "ix_output_deliveries_due_at",
    output_deliveries.c.due_at,
    sqlite_where=_WAITING,
)

output_attempts = Table(
    "output_attempts",
    metadata,
    Column("output_delivery_id", ForeignKey("output_deliveries.id", ondelete="CASCADE"), nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("code", SmallInteger),
    Column("text", UntrustedText),
    Column("milliseconds", Integer),
    PrimaryKeyConstraint("output_delivery_id", "number"),
    one_of("state", DeliveryState),
    sqlite_with_rowid=False,
)

# Targets that asked for no more messages. They get no editions until the operator resumes them.
stopped_outputs = Table(
    "stopped_outputs",
    metadata,
    Column("output", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", UntrustedText, nullable=False),
    PrimaryKeyConstraint("output", "destination"),
)
