"""The interface of mailboxes: yield messages, mark the ones that are done, and put aside what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from digestmail.errors import DigestmailError


class MailboxError(DigestmailError):
    """A mailbox cannot be read. The text says which one and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMessage:
    """A message in a mailbox."""

    raw: bytes
    """At most `max_bytes` octets of the message."""
    key: str
    """Identifies the message in its mailbox: a file name or a UID."""
    problem: str = ""
    """Why the message cannot be processed: it is too large, or the mailbox cannot return it."""


class Mailbox(Protocol):
    """A mailbox that receives bounces."""

    def messages(self) -> Iterator[ReceivedMessage]:
        """Yield every message that is not done, oldest first. Raises MailboxError if the mailbox cannot be read.

        One message that cannot be read has a `problem` and does not keep the others from being yielded.
        """
        ...

    def mark_done(self, message: ReceivedMessage) -> None:
        """Mark a message as done, after its report was committed.

        After a crash before this call, the message is read again. A report counts only once. Raises MailboxError.
        """
        ...

    def quarantine(self, message: ReceivedMessage) -> bool:
        """Put a message aside, so that it is not lost and not read again. Raises MailboxError if that is not possible.

        Return False if it was put aside before, because this mailbox is not changed.
        """
        ...

    def count_quarantined(self) -> int:
        """Return how many messages have been put aside and not removed yet. Raises MailboxError."""
        ...


def too_large(max_bytes: int) -> str:
    """Return the problem of a message that is larger than `max_bytes` octets."""
    return f"it is larger than {max_bytes:,} bytes (bounces.max_bytes)"
