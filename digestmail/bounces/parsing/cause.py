"""Causes of refusals, and the rules that recognize them in the text of a refusal."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Cause(StrEnum):
    """Why a message was refused, according to the words of the refusal."""

    ACCOUNT = "account"
    """The quota or the state of our account at the relay."""
    SENDER = "sender"
    """The sender's address, domain, host name or authentication."""
    BLOCKLIST = "blocklist"
    """The sending address or domain is listed or has a bad reputation."""
    RATE = "rate"
    """Too many messages, connections or recipients."""
    SIZE = "size"
    """The message is larger than the recipient's server allows."""
    RELAY = "relay"
    """The server does not accept mail for this domain from us."""
    CONTENT = "content"
    """The message itself, or an unspecified policy."""
    FULL = "full"
    """The mailbox or the disk behind it is full."""
    DECLINED = "declined"
    """The recipient does not want mail from this sender."""
    DISABLED = "disabled"
    """The mailbox exists but is disabled, perhaps only for a time (RFC 3463, X.2.1)."""
    WAIT = "wait"
    """A temporary failure: greylisting, a timeout, an unreachable host or name server, a loop."""
    UNKNOWN = "unknown"
    """The mailbox does not exist, or has moved."""
    NO_DOMAIN = "no-domain"
    """The recipient's domain does not exist, or has no mail server."""
    UNAVAILABLE = "unavailable"
    """Usually an unknown mailbox. It only counts if the status code is inconclusive."""


class CauseRule(NamedTuple):
    """A regular expression for lower-case text, and where its phrases come from."""

    cause: Cause
    pattern: str
    source: str
    """A mail server's source code, a provider's list of replies, or an RFC."""
