"""The interface of mailboxes: yield messages, and mark the ones that are done."""

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


class Mailbox(Protocol):
    """A mailbox that receives bounces."""

    def messages(self) -> Iterator[ReceivedMessage]:
        """Yield every message that is not done, oldest first. Raises MailboxError."""
        ...

    def mark_done(self, message: ReceivedMessage) -> None:
        """Mark a message as done, after its report was committed.

        After a crash before this call, the message is read again. A report counts only once. Raises MailboxError.
        """
        ...
