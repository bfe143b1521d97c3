"""The tables. What must not happen is forbidden here; `migrations/` leads an old database to this shape."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from digestmail.model.deliveries import DeliveryState, Manner, NoticeKind
from digestmail.model.papers import Health
from digestmail.model.subscribers import SubscriberState, SuppressionReason
from digestmail.storage import search_index

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_SAID = 2_000


class Moment(TypeDecorator[datetime]):
    """An aware UTC time: `timestamptz` on PostgreSQL, milliseconds since 1970 on SQLite (six bytes, and it sorts)."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type of the database at hand."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Turn an aware time into what the column holds; a naive one is a bug."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        value = value.astimezone(UTC)
        if dialect.name == "postgresql":
            return value.replace(microsecond=value.microsecond // 1000 * 1000)
        return (value - _EPOCH) // timedelta(milliseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Turn what the column holds into an aware UTC time."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            moment: datetime = value
            return moment.astimezone(UTC)
        return _EPOCH + timedelta(milliseconds=value)


class Said(TypeDecorator[str]):
    """Text a stranger had a hand in (a server's reply, an error): what no database can hold is replaced.

    A record refused over the spelling of a reply would send its mail again.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Replace NUL (PostgreSQL refuses it) and lone surrogates (UTF-8 has none), and keep a reasonable length."""
        return None if value is None else said(value)


def said(text: str) -> str:
    """Return `text` as a `Said` column keeps it."""
    if text.isascii() and "\0" not in text:
        return text[:_LONGEST_SAID]
    return text[:_LONGEST_SAID].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(
    column: str, values: type[Health | SubscriberState | DeliveryState | Manner | NoticeKind | SuppressionReason]
) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# -- what the world said ---------------------------------------------------------------------------------------------

papers = Table(
    "papers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    # Set when two papers turned out to be one work: this row is then only a name for the other.
    Column("merged_into", ForeignKey("papers.id")),
    Column("origin", SmallInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("abstract", Text, nullable=False),
    Column("raw_title", Text, nullable=False),
    Column("raw_abstract", Text, nullable=False),
    Column("authors", JSON, nullable=False),
    Column("categories", JSON, nullable=False),
    Column("keywords", JSON, nullable=False),
    Column("published_at", Moment),
    Column("link", Text, nullable=False),
    Column("summary", Text),
    Column("organization", Text),
    Column("comment", Text),
    Column("discussion_url", Text),
    Column("code_url", Text),
    Column("project_url", Text),
    Column("thumbnail_url", Text),
    Column("withdrawn", Boolean, nullable=False),
    Column("first_seen_at", Moment, nullable=False, index=True),
    Column("updated_at", Moment, nullable=False),
)
_MERGED = text("merged_into IS NOT NULL")
Index("ix_papers_merged_into", papers.c.merged_into, sqlite_where=_MERGED, postgresql_where=_MERGED)

paper_aliases = Table(
    "paper_aliases",
    metadata,
    Column("alias", Text, primary_key=True),
    Column("paper_id", ForeignKey("papers.id"), nullable=False, index=True),
)

sightings = Table(
    "sightings",
    metadata,
    Column("paper_id", ForeignKey("papers.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    # One row a paper, source and UTC day of reading: growth is the difference between two rows.
    Column("seen_on", Date, primary_key=True),
    Column("day", Date, nullable=False),
    Column("upvotes", Integer),
    Column("comments", Integer),
    Column("stars", Integer),
    Column("announce_type", Text),
    Column("seen_at", Moment, nullable=False),
    Index(None, "source", "seen_at"),
)

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
    Column("detail", Said, nullable=False),
    Column("read_at", Moment, nullable=False),
    Column("fresh_at", Moment),
    Column("absent_since", Moment),
    Column("reported_at", Moment),
    Column("parked_address", Text),
    _one_of("health", Health),
)

validators = Table(
    "validators",
    metadata,
    Column("source", Text, primary_key=True),
    Column("url", Text, primary_key=True),
    Column("etag", Text),
    Column("last_modified", Text),
    # When the document last came whole, and was not only "not modified".
    Column("whole_at", Moment, nullable=False),
    Column("stored_at", Moment, nullable=False),
)

gates = Table(
    "gates",
    metadata,
    Column("host", Text, primary_key=True),
    # Real time, whatever `--now` says: politeness is owed to the server's clock.
    Column("opens_at", Moment, nullable=False),
    # Until when the server itself wants to be left alone.
    Column("closed_until", Moment),
)

# -- who gets it -----------------------------------------------------------------------------------------------------

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("address", Text, nullable=False),
    # The address casefolded: one person each, however they write themselves.
    Column("key", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    # What they chose; NULL follows the digest.
    Column("language", Text),
    Column("timezone", Text),
    Column("paused_until", Moment),
    # Where and when they agreed to get mail.
    Column("consent_source", Text),
    Column("consent_at", Moment),
    # When the address was last changed: what bounced of mail from before is no fault of the new one.
    Column("readdressed_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    _one_of("state", SubscriberState),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    # An empty list means every topic.
    Column("topics", JSON, nullable=False),
    # The local hour (0..23) they want it at; NULL as soon as it is published.
    Column("hour", SmallInteger),
    Column("created_at", Moment, nullable=False),
    Index(None, "subscriber_id"),
)

# When a person last left a digest, or everything (an empty name): an import needs consent that is newer.
departures = Table(
    "departures",
    metadata,
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("left_at", Moment, nullable=False),
)

# What a person asked for and has not confirmed yet; one a person, and the row goes when its link is used.
confirmations = Table(
    "confirmations",
    metadata,
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("nonce", Text, nullable=False),
    Column("choices", JSON, nullable=False),
    Column("asked_at", Moment, nullable=False),
)

# The address a subscriber wants to change to and has not confirmed yet; one a person.
address_changes = Table(
    "address_changes",
    metadata,
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("nonce", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
)

# What subscribers had before somebody with their link changed or ended it, so that they can undo it.
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("before", JSON, nullable=False),
    Column("made_at", Moment, nullable=False),
    # When it was undone, or made void by the undoing of an earlier one.
    Column("undone_at", Moment),
)

# Mails to unsubscribe that were carried out: a mailbox that is read again unsubscribes nobody a second time.
unsubscribe_mails = Table(
    "unsubscribe_mails",
    metadata,
    Column("report", Text, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
)

# Whom nothing is sent to, whatever else says so; it outlives the subscriber. `key` is the casefolded address, or
# `sha256:` and a keyed hash of it for who asked to be erased.
suppressions = Table(
    "suppressions",
    metadata,
    Column("key", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("detail", Said, nullable=False),
    Column("created_at", Moment, nullable=False),
    _one_of("reason", SuppressionReason),
)

# Bounces and complaints; the score is computed from them, with decay. `domain` and `reason` tell which are alike, so
# that a block is not taken for many dead addresses.
bounces = Table(
    "bounces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    # The delivery that bounced, and the report's own identity: the same report read twice counts once.
    Column("edition_id", Integer),
    Column("report", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("status", Text),
    Column("detail", Said, nullable=False),
    Column("at", Moment, nullable=False),
    Column("domain", Text, nullable=False),
    Column("reason", Said, nullable=False),
    Index(None, "subscriber_id", "at"),
    # All that is asked for when refusals alike are counted.
    Index("ix_bounces_alike", "domain", "reason", "at", "kind", "subscriber_id"),
    Index(None, "at"),
)

# -- what was published, and the outbox ------------------------------------------------------------------------------

editions = Table(
    "editions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column("slot_at", Moment, nullable=False),
    Column("composed_at", Moment, nullable=False),
    # How many deliveries were queued for it: what the accounts must add up to.
    Column("recipients", Integer),
    # The edition whole, as JSON of `model.Edition`: what the archive shows years later.
    Column("content", Text, nullable=False),
    # How many papers who takes everything gets of it.
    Column("papers", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    UniqueConstraint("digest", "slot"),
    # All that lists of editions show: the rows themselves hold whole editions and are long to read.
    Index("ix_editions_line", "digest", "slot_at", "papers", "slot", "composed_at"),
)

edition_papers = Table(
    "edition_papers",
    metadata,
    Column("edition_id", ForeignKey("editions.id"), primary_key=True),
    Column("paper_id", ForeignKey("papers.id"), primary_key=True),
    Column("digest", Text, nullable=False),
    Column("position", SmallInteger, nullable=False),
    # The one it matches best.
    Column("topic", Text),
    Column("score", Float, nullable=False),
    UniqueConstraint("digest", "paper_id"),
    Index(None, "paper_id"),
    # Each topic is found in one step, however many papers it has.
    Index(None, "topic"),
)

segments = Table(
    "segments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("edition_id", ForeignKey("editions.id"), nullable=False, index=True),
    Column("topics", JSON, nullable=False),
    # Pairs of a topic (null: the closing section) and how many more papers it had than there was room for.
    Column("more", JSON, nullable=False),
    # NULL follows the digest.
    Column("language", Text),
)

segment_papers = Table(
    "segment_papers",
    metadata,
    Column("segment_id", ForeignKey("segments.id"), primary_key=True),
    Column("paper_id", ForeignKey("papers.id"), primary_key=True),
    Index(None, "paper_id"),
)

_OPEN = "state IN ('queued', 'sending', 'deferred')"

deliveries = Table(
    "deliveries",
    metadata,
    Column("edition_id", Integer, nullable=False),
    Column("subscriber_id", Integer, nullable=False),
    Column("segment_id", Integer, nullable=False),
    # `sending` means that the intent is committed: from here on the message may be on the wire.
    Column("state", Text, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    # Claimed rows stay with one worker until `due_at`, then they are due again: the lease is the due time.
    Column("due_at", Moment),
    Column("fence", Integer, nullable=False),
    # From when it counts: the publishing, or the hour the subscriber chose.
    Column("queued_at", Moment, nullable=False),
    # How it ended: the last attempt. The attempts before it stand in `attempts`.
    Column("ended_at", Moment),
    Column("code", SmallInteger),
    Column("text", Said),
    Column("milliseconds", Integer),
    PrimaryKeyConstraint("edition_id", "subscriber_id"),
    ForeignKeyConstraint(["edition_id"], ["editions.id"]),
    ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"]),
    ForeignKeyConstraint(["segment_id"], ["segments.id"]),
    _one_of("state", DeliveryState),
    CheckConstraint(f"({_OPEN}) = (due_at IS NOT NULL)", name="open_is_due"),
    sqlite_with_rowid=False,
)
_WAITING = text("due_at IS NOT NULL")
# In the order of claiming, to the last column: an edition's deliveries all fall due at one moment, and a claim must not
# sort them all. By segment, because a message is rendered once per segment.
Index(
    "ix_deliveries_due",
    deliveries.c.due_at,
    deliveries.c.segment_id,
    deliveries.c.subscriber_id,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
Index("ix_deliveries_subscriber_id", deliveries.c.subscriber_id)

# Attempts that did not end their delivery: put off, or without an answer. The one that did stands in `deliveries`.
attempts = Table(
    "attempts",
    metadata,
    Column("edition_id", Integer, nullable=False),
    Column("subscriber_id", Integer, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("code", SmallInteger),
    Column("text", Said),
    Column("milliseconds", Integer),
    PrimaryKeyConstraint("edition_id", "subscriber_id", "number"),
    ForeignKeyConstraint(
        ["edition_id", "subscriber_id"], ["deliveries.edition_id", "deliveries.subscriber_id"], ondelete="CASCADE"
    ),
    _one_of("state", DeliveryState),
    sqlite_with_rowid=False,
)

# Mails that belong to no edition: please confirm, welcome, goodbye, your preferences changed.
notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    # What the template needs beyond the subscriber, such as the digest that was left.
    Column("content", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("due_at", Moment),
    Column("fence", Integer, nullable=False),
    Column("queued_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("code", SmallInteger),
    Column("text", Said),
    _one_of("state", DeliveryState),
    _one_of("kind", NoticeKind),
    CheckConstraint(f"({_OPEN}) = (due_at IS NOT NULL)", name="open_is_due"),
)
Index("ix_notices_due_at", notices.c.due_at, sqlite_where=_WAITING, postgresql_where=_WAITING)

# How fast a relay or a recipient's domain may be used, shared by all workers; a row only where something limits it.
rates = Table(
    "rates",
    metadata,
    # `relay:NAME` or `domain:NAME`
    Column("key", Text, primary_key=True),
    # When the next message may go (generic cell rate algorithm).
    Column("next_at", Moment, nullable=False),
    # 1 is full speed; halved when the server asks for less, and given back with time.
    Column("factor", Float, nullable=False),
    Column("slowed_at", Moment),
    # Until when nothing is tried at all, and why: the circuit breaker.
    Column("paused_until", Moment),
    Column("reason", Said),
)

# Connections held by the workers, against the limits of a relay or a domain; a worker that dies lets them lapse.
allotments = Table(
    "allotments",
    metadata,
    Column("key", Text, primary_key=True),
    Column("worker", Text, primary_key=True),
    Column("connections", Integer, nullable=False),
    Column("until", Moment, nullable=False),
)

# How far a mail server takes pipelined commands. There may be several machines behind one name, so the key includes
# what the server says about itself.
servers = Table(
    "servers",
    metadata,
    # `host:port`, or the path of a socket
    Column("server", Text, primary_key=True),
    # The software it greets with, where it says so, and the keywords it answers EHLO with.
    Column("face", Text, primary_key=True),
    Column("manner", Text, nullable=False),
    Column("since", Moment, nullable=False),
    # How often it took less than expected; the wait before the next trial doubles each time.
    Column("failures", SmallInteger, nullable=False),
    _one_of("manner", Manner),
)

# What a program wrote through the API under its own key: asked again with the same key, it gets the same answer.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    # SHA-256 of method, path and body: the same key with another request is refused.
    Column("request", Text, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("answer", Text, nullable=False),
    Column("at", Moment, nullable=False, index=True),
)

search_index.follow(metadata)
