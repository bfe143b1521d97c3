"""Subscribers, their preferences, and reports about their addresses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from digestmail.model.digests import Cadence
from digestmail.model.papers import PaperId


class SubscriberState(StrEnum):
    """The state of a subscriber."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


class SuppressionReason(StrEnum):
    """Why an address is suppressed."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    OPERATOR = "operator"


class BounceKind(StrEnum):
    """The kind of a report about an address."""

    HARD = "hard"
    """The address does not exist."""
    SOFT = "soft"
    """Delivery failed for another reason at the recipient: full, disabled, unreachable, or refused by its owner."""
    COMPLAINT = "complaint"
    """The recipient reported the message as spam, or unsubscribed through their provider."""
    SENDER_FAULT = "sender_fault"
    """Our server or the message was refused. It does not count, but is stored so that blocks can be recognized."""
    BLOCKED = "blocked"
    """A hard or soft bounce that is part of a block by its domain. It does not count."""
    FORGIVEN = "forgiven"
    """Counted in the past. Since then, the person confirmed again or the operator lifted the suppression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceEvent:
    """A report about a message to a subscriber, from a mailbox, a webhook or a reply during delivery."""

    report: str
    """Identifies the report, so that it counts only once."""
    subscriber_id: int
    kind: BounceKind
    edition_id: int | None = None
    status: str | None = None
    """An enhanced status code (RFC 3463), such as "5.1.1"."""
    detail: str = ""
    """The text of the other side, for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainBlock:
    """A block: a domain refused a large part of its recipients within a day, with the same text."""

    domain: str
    refused: int
    """The number of refused recipients."""
    mailed: int
    """The number of recipients at the domain."""
    text: str
    """The domain's latest reply."""
    at: datetime

    def __str__(self) -> str:
        """Return the sentence for reports."""
        return (
            f"{self.domain} refused {self.refused} of {self.mailed} readers within a day, all alike, which is a block: "
            f"no reader is suppressed for it; {self.domain} said: {self.text}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedBounce:
    """The data of a stored bounce that its score needs."""

    kind: BounceKind
    at: datetime
    edition_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription of a subscriber to a digest. No topics means all topics."""

    digest: str
    topics: tuple[str, ...] = ()
    hour: int | None = None
    """The local hour (0..23) of delivery; None means as soon as the edition is published."""
    cadence: Cadence | None = None
    """None means whenever the digest is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """A subscriber's preferences: digests, each with topics and hour, and general settings."""

    subscriptions: tuple[Subscription, ...] = ()
    language: str | None = None
    """A language tag (BCP 47); None means the digest's language."""
    timezone: str | None = None
    """An IANA name; None means the digest's time zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Where and when a person agreed to receive email."""

    source: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A subscriber with their subscriptions."""

    id: int
    address: str
    state: SubscriberState
    created_at: datetime
    subscriptions: tuple[Subscription, ...] = ()
    language: str | None = None
    timezone: str | None = None
    paused_from: datetime | None = None
    """When the last pause began."""
    paused_until: datetime | None = None
    """When the pause ends, or when the last one ended."""
    consent_source: str | None = None
    consent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Whether a subscriber wants more papers like this one (`liked`), or fewer."""

    paper_id: PaperId
    title: str
    liked: bool
    given_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A suppressed address. `key` is the casefolded address, or `sha256:` and a keyed hash of it."""

    key: str
    reason: SuppressionReason
    detail: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceCount:
    """How many active subscribers have the same preferences for a digest."""

    digest: str
    topics: tuple[str, ...]
    people: int
