"""What every mailbox does: hand out mails one by one, and take note that one is dealt with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from digestmail.errors import DigestmailError


class MailboxError(DigestmailError):
    """A mailbox cannot be read; the text says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A mail in a mailbox."""

    raw: bytes
    """At most as many octets as the mailbox was told to read."""
    place: str
    """Where it lies, in the mailbox's own terms: a file's name, a UID."""


class Mailbox(Protocol):
    """A place bounces are delivered to."""

    def mails(self) -> Iterator[Arrived]:
        """Yield every mail that was not dealt with, the oldest first. Raises MailboxError."""
        ...

    def done(self, mail: Arrived) -> None:
        """Take note that a mail is dealt with, once what it says is committed.

        A crash before it hands the mail out again: the same report read twice counts once. Raises MailboxError.
        """
        ...
