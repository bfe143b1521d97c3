"""The outbox: deliveries, their attempts, and notices."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from digestmail.model.deliveries import DeliveryState, NoticeKind
from digestmail.storage.schema.columns import Moment, UntrustedText, metadata, one_of

_OPEN = "state IN ('queued', 'sending', 'deferred')"

deliveries = Table(
    "deliveries",
    metadata,
    Column("edition_id", Integer, nullable=False),
    Column("subscriber_id", Integer, nullable=False),
    Column("segment_id", Integer, nullable=False),
    # The section "For you", see `storage/picks.py`. NULL if nothing was picked.
    Column("picks", LargeBinary),
    # `sending` means that the intent is committed: the message may already have been transmitted.
    Column("state", Text, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    # A claim moves `due_at` to the end of its lease. If the worker dies, the row is simply due again.
    Column("due_at", Moment),
    Column("fence", Integer, nullable=False),
    # When it became due: at publication, or at the hour that the subscriber chose.
    Column("queued_at", Moment, nullable=False),
    # The last attempt, which ended the delivery. Earlier attempts are in the table `attempts`.
    Column("ended_at", Moment),
    Column("code", SmallInteger),
    Column("text", UntrustedText),
    Column("milliseconds", Integer),
    PrimaryKeyConstraint("edition_id", "subscriber_id"),
    ForeignKeyConstraint(["edition_id"], ["editions.id"]),
    ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"]),
    ForeignKeyConstraint(["segment_id"], ["segments.id"]),
    one_of("state", DeliveryState),
    CheckConstraint(f"({_OPEN}) = (due_at IS NOT NULL)", name="open_is_due"),
    sqlite_with_rowid=False,
)
_WAITING = text("due_at IS NOT NULL")

# In the order in which rows are claimed. All deliveries of an edition are due at the same time, and a claim must not
# sort them all. Segments come before subscribers because a message is rendered once per segment.
Index(
    "ix_deliveries_due",
    deliveries.c.due_at,
    deliveries.c.segment_id,
    deliveries.c.subscriber_id,
    sqlite_where=_WAITING,
)
Index("ix_deliveries_subscriber_id", deliveries.c.subscriber_id)
# Few readers have picks, and who received a paper as a pick must be found without reading all deliveries of an edition.
_PICKED = text("picks IS NOT NULL")
Index(
    "ix_deliveries_picked",
    deliveries.c.edition_id,
    deliveries.c.subscriber_id,
    sqlite_where=_PICKED,
)

# Attempts that did not end their delivery: deferred, or with an unknown outcome. The last one is in `deliveries`.
attempts = Table(
    "attempts",
    metadata,
    Column("edition_id", Integer, nullable=False),
    Column("subscriber_id", Integer, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("code", SmallInteger),
    Column("text", UntrustedText),
    Column("milliseconds", Integer),
    PrimaryKeyConstraint("edition_id", "subscriber_id", "number"),
    ForeignKeyConstraint(
        ["edition_id", "subscriber_id"], ["deliveries.edition_id", "deliveries.subscriber_id"], ondelete="CASCADE"
    ),
    one_of("state", DeliveryState),
    sqlite_with_rowid=False,
)

# The operator must hear of each ambiguous delivery, and there are few. The index is not one of `deliveries`: PostgreSQL
# adds an entry to every index of a table if an update changes a column that one of them needs, as `state` would be.
Index(
    "ix_attempts_ambiguous",
    attempts.c.edition_id,
    attempts.c.subscriber_id,
    sqlite_where=text("state = 'ambiguous'"),
)

# Emails that belong to no edition: confirmation requests, welcome, goodbye, changed preferences.
notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    # Template variables besides the subscriber, such as the digest that they unsubscribed from.
    Column("content", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("due_at", Moment),
    Column("fence", Integer, nullable=False),
    Column("queued_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("code", SmallInteger),
    Column("text", UntrustedText),
    Column("milliseconds", Integer),
    one_of("state", DeliveryState),
    one_of("kind", NoticeKind),
    CheckConstraint(f"({_OPEN}) = (due_at IS NOT NULL)", name="open_is_due"),
)
Index("ix_notices_due_at", notices.c.due_at, sqlite_where=_WAITING)
_FAILED = text("state = 'failed'")
Index("ix_notices_failed", notices.c.ended_at, sqlite_where=_FAILED)

# The same as `attempts`, for notices.
notice_attempts = Table(
    "notice_attempts",
    metadata,
    Column("notice_id", ForeignKey("notices.id", ondelete="CASCADE"), nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("code", SmallInteger),
    Column("text", UntrustedText),
    Column("milliseconds", Integer),
    PrimaryKeyConstraint("notice_id", "number"),
    one_of("state", DeliveryState),
    sqlite_with_rowid=False,
)
