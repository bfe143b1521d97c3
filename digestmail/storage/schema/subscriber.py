"""Subscribers, what they chose, what they asked for and have not confirmed, and who must not get mail."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, SmallInteger, Table, Text, text

from digestmail.model.digests import Cadence
from digestmail.model.personal import ReadingListKind
from digestmail.model.subscribers import SubscriberState, SuppressionReason
from digestmail.storage.schema.columns import Moment, UntrustedText, metadata, one_of

_HAS_CADENCE = text("cadence IS NOT NULL")
_PAUSED = text("paused_until IS NOT NULL")
_PENDING = text("state = 'pending'")

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("address", Text, nullable=False),
    # The casefolded address, so that each address subscribes only once.
    Column("key", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    # The subscriber's choice; NULL means the digest's own setting.
    Column("language", Text),
    Column("timezone", Text),
    # When a pause began and when it ends, or ended: what was missed in between is caught up on.
    Column("paused_from", Moment),
    Column("paused_until", Moment),
    # Where and when the subscriber agreed to receive email.
    Column("consent_source", Text),
    Column("consent_at", Moment),
    # When the address last changed. Bounces of earlier messages do not count against the new address.
    Column("address_changed_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    one_of("state", SubscriberState),
    # For those who never confirmed.
    Index("ix_subscribers_pending", "updated_at", sqlite_where=_PENDING),
    # For those who return from a pause.
    Index(None, "paused_until", sqlite_where=_PAUSED),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    # An empty list means every topic.
    Column("topics", JSON, nullable=False),
    # The local hour (0..23) of delivery; NULL means as soon as the edition is published.
    Column("hour", SmallInteger),
    # NULL means whenever the digest is published.
    Column("cadence", Text),
    # When the cadence was chosen. Editions of earlier slots are not for this reader.
    Column("cadence_at", Moment),
    Column("created_at", Moment, nullable=False),
    one_of("cadence", Cadence),
    Index(None, "subscriber_id"),
    Index(
        "ix_subscriptions_cadence",
        "digest",
        "cadence",
        "subscriber_id",
        sqlite_where=_HAS_CADENCE,
    ),
)

# When a person last unsubscribed from a digest, or from everything (an empty name). An import needs newer consent.
opt_outs = Table(
    "opt_outs",
    metadata,
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("opted_out_at", Moment, nullable=False),
)

# Sign-ups that are not confirmed yet, one for each person. The row is deleted when its link is used.
confirmations = Table(
    "confirmations",
    metadata,
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("nonce", Text, nullable=False),
    Column("choices", JSON, nullable=False),
    Column("asked_at", Moment, nullable=False),
)

# Address changes that are not confirmed yet, one for each subscriber.
address_changes = Table(
    "address_changes",
    metadata,
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("nonce", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
)

# Sign-ups and address changes that a page accepted and that are not processed yet: the row is deleted when they are.
address_requests = Table(
    "address_requests",
    metadata,
    Column("id", Integer, primary_key=True),
    # Who wants this new address; NULL for a sign-up.
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), index=True),
    Column("address", Text, nullable=False),
    # The casefolded address, to find the requests of a person who is erased.
    Column("key", Text, nullable=False, index=True),
    # What a sign-up chose; an empty object for an address change.
    Column("choices", JSON, nullable=False),
    Column("asked_at", Moment, nullable=False),
)

# Subscriptions as they were before a change made through a link in an email, so that the subscriber can undo it.
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("before", JSON, nullable=False),
    Column("made_at", Moment, nullable=False),
    # When it was undone, itself or together with an earlier change.
    Column("undone_at", Moment),
)

# Whether a person wants more or fewer papers like this one. The latest answer replaces earlier ones.
feedback = Table(
    "feedback",
    metadata,
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("paper_id", ForeignKey("papers.id"), primary_key=True, index=True),
    Column("liked", Boolean, nullable=False),
    Column("given_at", Moment, nullable=False),
)

# What a reader said about their interests.
profiles = Table(
    "profiles",
    metadata,
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("interests", UntrustedText, nullable=False),
    # Full names.
    Column("authors", JSON, nullable=False),
    Column("blocked_words", JSON, nullable=False),
    Column("exploration", Float, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

# Where the papers that a reader knows come from. NULL as the subscriber: a list of `[profile]` in the configuration.
reading_lists = Table(
    "reading_lists",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), index=True),
    Column("kind", Text, nullable=False),
    # A file name, an identifier, or arXiv ids joined by spaces.
    Column("reference", Text, nullable=False),
    Column("added_at", Moment, nullable=False),
    # The last complete reading; NULL before the first.
    Column("read_at", Moment),
    # The last reading, complete or not.
    Column("tried_at", Moment),
    # Why the last reading was not complete.
    Column("problem", UntrustedText),
    # What the service wants back with the next reading, so that an unchanged list is not transferred.
    Column("validator", UntrustedText),
    one_of("kind", ReadingListKind),
)

reading_list_papers = Table(
    "reading_list_papers",
    metadata,
    Column("list_id", ForeignKey("reading_lists.id", ondelete="CASCADE"), primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("title", UntrustedText, nullable=False),
    Column("abstract", UntrustedText, nullable=False),
)

# Unsubscribe emails that were processed. If the mailbox is read again, they have no second effect.
unsubscribe_mails = Table(
    "unsubscribe_mails",
    metadata,
    Column("report", Text, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
)

# Addresses that must not receive email. Rows outlive their subscriber. `key` is the casefolded address, or
# `sha256:` and a keyed hash of it for people who asked to be erased.
suppressions = Table(
    "suppressions",
    metadata,
    Column("key", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("detail", UntrustedText, nullable=False),
    Column("created_at", Moment, nullable=False),
    one_of("reason", SuppressionReason),
)
