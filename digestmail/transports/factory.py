"""Choose the transports: the one place that does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from digestmail.transports.base import Transport
from digestmail.transports.maildir import MaildirTransport
from digestmail.transports.sendmail import SendmailTransport
from digestmail.transports.smtp.client import SmtpTransport


def make_transports(
    maildir: Path | None, sendmail: SendmailTransport | None, servers: Sequence[SmtpTransport]
) -> tuple[Transport, ...]:
    """Return the transports in order of preference; `maildir` or `sendmail` replaces all servers."""
    if maildir is not None:
        return (MaildirTransport(maildir),)
    return tuple(servers) if sendmail is None else (sendmail,)
