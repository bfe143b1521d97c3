"""Subscribers, what they chose, and what counts against their addresses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SubscriberState(StrEnum):
    """Where a person stands."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


class SuppressionReason(StrEnum):
    """Why nothing is sent to an address any more."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    OPERATOR = "operator"


class BounceKind(StrEnum):
    """How bad a report about an address is."""

    HARD = "hard"
    """The address does not exist."""
    SOFT = "soft"
    """Mail to it failed for another reason that lies with it: full, disabled, unreachable, or refused by its owner."""
    COMPLAINT = "complaint"
    """Its owner called a mail junk, or asked their provider to be taken off."""
    SENDER_FAULT = "sender_fault"
    """We, our server or the mail were refused: it weighs nothing, and is kept so that a block can be seen."""
    BLOCKED = "blocked"
    """Hard or soft by its words, but one of so many alike that the domain blocks us: it weighs nothing."""
    FORGIVEN = "forgiven"
    """Counted once; its owner has confirmed anew since, or the operator lifted the suppression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceEvent:
    """One report about one subscriber's mail, from wherever it came: a mailbox, or a provider's webhook."""

    report: str
    """The report's own identity: the same report read twice counts once."""
    subscriber_id: int
    kind: BounceKind
    edition_id: int | None = None
    status: str | None = None
    """An enhanced status code (RFC 3463), such as "5.1.1"."""
    detail: str = ""
    """What the other side said, for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainBlock:
    """One domain refused a large part of its readers' mail within a day, always with the same words."""

    domain: str
    refused: int
    """Readers."""
    mailed: int
    """Readers at the domain who were sent these editions."""
    text: str
    """What the domain's server said last."""
    at: datetime

    def __str__(self) -> str:
        """Return the sentence reports show."""
        return (
            f"{self.domain} refused {self.refused} of {self.mailed} readers within a day, all alike, which is a block: "
            f"no reader is suppressed for it; {self.domain} said: {self.text}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedBounce:
    """As much of a stored bounce as its weight needs."""

    kind: BounceKind
    at: datetime
    edition_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Subscriber x digest. No topics means all of them."""

    digest: str
    topics: tuple[str, ...] = ()
    hour: int | None = None
    """The local hour (0..23) it is wanted in; None: as soon as it is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a person chose: digests, each with topics and hour, and what holds for all of them."""

    subscriptions: tuple[Subscription, ...] = ()
    language: str | None = None
    """A language tag (BCP 47); None follows the digest."""
    timezone: str | None = None
    """An IANA name; None follows the digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Where and when a person agreed to get mail."""

    source: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A person's address, and what they asked for."""

    id: int
    address: str
    state: SubscriberState
    created_at: datetime
    subscriptions: tuple[Subscription, ...] = ()
    language: str | None = None
    timezone: str | None = None
    paused_until: datetime | None = None
    consent_source: str | None = None
    consent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address nothing is sent to: `key` is the casefolded address, or `sha256:` and a keyed hash of it."""

    key: str
    reason: SuppressionReason
    detail: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceCount:
    """How many active subscribers chose the same of a digest."""

    digest: str
    topics: tuple[str, ...]
    people: int
