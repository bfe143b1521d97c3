"""Creates a mailbox from its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from digestmail.bounces.mailboxes.base import Mailbox
from digestmail.bounces.mailboxes.maildir import MaildirMailbox
from digestmail.bounces.mailboxes.mbox import MboxMailbox
from digestmail.transports.sasl import AccessTokens


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
    tokens: AccessTokens | None,
    folder: str,
    timeout: float,
    max_bytes: int,
) -> Mailbox:
    """Return the mailbox without opening it. `path` is for local mailboxes, the other settings are for IMAP.

    At most `max_bytes` of each message are read. `timeout` is in seconds, for each step.
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
                tokens=tokens,
                folder=folder,
                timeout=timeout,
                max_bytes=max_bytes,
            )
