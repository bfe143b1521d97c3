"""The result of parsing a bounce or another inbound report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_MAX_TEXT = 500


def printable_line(text: str) -> str:
    """Return `text` as one line of at most 500 characters for records, logs and terminals.

    Characters that terminals act on or do not show, such as those of escape sequences, become spaces.
    """
    shown = text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)
    return " ".join(shown.split())[:_MAX_TEXT]


class Kind(StrEnum):
    """The kind of a message to our return path."""

    BOUNCE = "bounce"
    """`Action: failed` (RFC 3464 section 2.3.3), an expired message, or a failure notice without a DSN."""
    DELAYED = "delayed"
    DELIVERED = "delivered"
    """Delivered, relayed or expanded."""
    COMPLAINT = "complaint"
    NOT_SPAM = "not-spam"
    FEEDBACK = "feedback"
    """A feedback report that is not a complaint, such as auth-failure."""
    AUTO_REPLY = "auto-reply"
    OTHER = "other"
    UNREADABLE = "unreadable"
    """The message could not be parsed; `detail` says why."""


class BounceClass(StrEnum):
    """The class of a failure."""

    HARD = "hard"
    """The address does not exist."""
    SOFT = "soft"
    """Another problem at the recipient."""
    SENDER_FAULT = "sender_fault"
    """Our server or this message was refused. It does not count against the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRecipient:
    """A recipient that a message did not reach."""

    recipient: str
    """The address in the report. It may be a forwarding address, so it never identifies the subscriber."""
    status: str | None
    text: str
    verdict: BounceClass


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientProof:
    """Strings that may be our signed tokens, the most reliable first."""

    return_paths: tuple[str, ...] = ()
    """TOKEN of `bounce+TOKEN@domain`: from the report's own recipients first, then from the returned message."""
    message_ids: tuple[str, ...] = ()
    """Message-IDs of the returned message, in angle brackets."""
    unsubscribes: tuple[str, ...] = ()
    """Tokens from the returned message's List-Unsubscribe header."""
    addressed: tuple[str, ...] = ()
    """TOKEN of `bounce+TOKEN@domain` in the message's own recipients; empty if the message is a report."""
    subjects: tuple[str, ...] = ()
    """Possible unsubscribe tokens in the message's own subject; empty if the message is a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundReport:
    """A parsed message to our return path, or a provider's event."""

    kind: Kind
    identity: str
    """Identifies the report, so that it counts once: a hash of its Message-ID or of its content."""
    failures: tuple[FailedRecipient, ...] = ()
    detail: str = ""
    proof: RecipientProof = RecipientProof()
    recipient: str = ""
    """The address in the event of an authenticated provider; empty for messages."""
