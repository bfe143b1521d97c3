"""Choose the transports: the one place that does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from digestmail.transports.base import Transport
from digestmail.transports.maildir import MaildirTransport
from digestmail.transports.smtp.client import SmtpTransport


def make_transports(maildir: Path | None, servers: Sequence[SmtpTransport]) -> tuple[Transport, ...]:
    """Return the transports in order of preference; `maildir` replaces all servers."""
    return tuple(servers) if maildir is None else (MaildirTransport(maildir),)
