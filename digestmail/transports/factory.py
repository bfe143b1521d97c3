"""Choose a transport: the one place that does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from digestmail.transports.base import Relay, Transport
from digestmail.transports.blocking import BlockingRelay
from digestmail.transports.maildir import MaildirTransport
from digestmail.transports.smtp.client import SmtpTransport


def make_transports(maildir: Path | None, servers: Sequence[SmtpTransport]) -> tuple[Transport, ...]:
    """Return the transports for single messages in the order of preference; `maildir` takes the place of servers."""
    return tuple(servers) if maildir is None else (MaildirTransport(maildir),)


def make_relays(maildir: Path | None, servers: Sequence[SmtpTransport]) -> tuple[Relay, ...]:
    """Return the same as relays, which carry many messages at once over several connections."""
    return tuple(servers) if maildir is None else (BlockingRelay(MaildirTransport(maildir), name="maildir"),)
