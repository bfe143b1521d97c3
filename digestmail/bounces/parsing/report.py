"""What a mail that came back says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a mail to our return path is."""

    BOUNCE = "bounce"
    """At least one `Action: failed` (RFC 3464 section 2.3.3), one that expired, or a notice of failure in words."""
    DELAYED = "delayed"
    DELIVERED = "delivered"
    """Delivered, relayed or expanded: good news."""
    COMPLAINT = "complaint"
    NOT_SPAM = "not-spam"
    FEEDBACK = "feedback"
    """A feedback report nobody is unsubscribed by, such as auth-failure."""
    AUTO_REPLY = "auto-reply"
    OTHER = "other"


class Blame(StrEnum):
    """Whom a failure is held against."""

    HARD = "hard"
    """The address does not exist."""
    SOFT = "soft"
    """It failed for another reason that lies with the recipient."""
    OURS = "ours"
    """We, our server or this mail were refused: nobody is blamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRecipient:
    """One recipient a mail did not reach."""

    recipient: str
    """As the reporting server names it, which may be where a mail was forwarded to; never trusted to say who it is."""
    status: str | None
    text: str
    verdict: Blame


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientProof:
    """Strings that may be tokens of ours, in the order they are to be trusted; each is proved by its signature."""

    return_paths: tuple[str, ...] = ()
    """TOKEN of `bounce+TOKEN@domain`: of the mail's own recipients first, then of the returned message."""
    message_ids: tuple[str, ...] = ()
    """Message-IDs of the returned message, in angle brackets."""
    unsubscribes: tuple[str, ...] = ()
    """Tokens of the returned message's List-Unsubscribe."""
    addressed: tuple[str, ...] = ()
    """TOKEN of `bounce+TOKEN@domain` among the mail's own recipients; none if the mail is a report."""
    subjects: tuple[str, ...] = ()
    """What may be unsubscribe tokens in the mail's own subject; none if the mail is a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundReport:
    """A mail that came back, or what a provider tells instead of one, read."""

    kind: Kind
    identity: str
    """The same for the same report however often it is read: of its Message-ID, else of its content."""
    failures: tuple[FailedRecipient, ...] = ()
    detail: str = ""
    evidence: RecipientProof = RecipientProof()
    recipient: str = ""
    """The address it is about, where a provider that proved itself names one; a mail never does."""
