"""Choose a mailbox by its kind: the one place that does."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from digestmail.bounces.mailboxes.base import Mailbox
from digestmail.bounces.mailboxes.maildir import MaildirMailbox
from digestmail.bounces.mailboxes.mbox import MboxMailbox


def make_mailbox(  # noqa: PLR0913 - by name only, a key of the configuration each
    kind: Literal["maildir", "mbox", "imap"],
    path: Path,
    *,
    host: str,
    port: int | None,
    security: Literal["none", "starttls", "tls"],
    ca_file: Path | None,
    username: str,
    password: str,
    folder: str,
    timeout: float,
    max_bytes: int,
) -> Mailbox:
    """Return the mailbox; nothing is opened yet. `path` is for the kinds on this disk, the rest for IMAP.

    Of a mail at most `max_bytes` are read; `timeout` is the longest silence in seconds.
    """
    match kind:
        case "maildir":
            return MaildirMailbox(path, max_bytes=max_bytes)
        case "mbox":
            return MboxMailbox(path, max_bytes=max_bytes)
        case "imap":
            from digestmail.bounces.mailboxes.imap import ImapMailbox

            return ImapMailbox(
                host=host,
                port=port,
                security=security,
                ca_file=ca_file,
                username=username,
                password=password,
                folder=folder,
                timeout=timeout,
                max_bytes=max_bytes,
            )
