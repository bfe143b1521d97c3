"""An IMAP folder (RFC 9051). Messages that are done get the flag Seen."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from imap_tools import (
    AND,
    BaseMailBox,
    ImapToolsError,
    MailBox,
    MailBoxUnencrypted,
    MailMessageFlags,
)

from digestmail.bounces.mailboxes.base import MailboxError, ReceivedMessage
from digestmail.transports.tls import client_context

Security = Literal["none", "starttls", "tls"]
_PORTS: dict[Security, int] = {"none": 143, "starttls": 143, "tls": 993}
_BROKEN = (OSError, imaplib.IMAP4.error, ImapToolsError, UnicodeError, ValueError)


class ImapMailbox:
    """The unseen messages of one folder. TLS certificates are always verified."""

    def __init__(  # noqa: PLR0913 - by name only, a key of the configuration each
        self,
        *,
        host: str,
        port: int | None,
        security: Security,
        username: str,
        password: str,
        folder: str,
        timeout: float,
        max_bytes: int,
        ca_file: Path | None = None,
    ) -> None:
        """Store the settings; nothing is connected yet. `timeout` is in seconds, for each step.

        At most `max_bytes` of each message are fetched. `ca_file` (PEM) replaces the system's trusted certificates.
        """
        self._address = (host, port or _PORTS[security])
        self._security = security
        self._ca_file = ca_file
        self._login = (username, password, folder)
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._open: BaseMailBox | None = None

    def messages(self) -> Iterator[ReceivedMessage]:
        """Yield the unseen messages, oldest first. They stay unseen until they are done. Raises MailboxError."""
        with self._translated():
            connected = self._connect()
        try:
            with self._translated():
                if self._security == "starttls":
                    connected.client.starttls(client_context(ca_file=self._ca_file))
                connected.login(*self._login)
                uids = connected.uids(AND(seen=False))
            self._open = connected
            for uid in uids:
                with self._translated():
                    raw = self._fetch(connected, uid)
                if raw is not None:
                    yield ReceivedMessage(raw=raw, key=uid)
        finally:
            self._open = None
            _disconnect(connected)

    def mark_done(self, message: ReceivedMessage) -> None:
        """Flag a message as seen. Only possible while `messages` is being iterated."""
        if self._open is None:
            raise MailboxError("the mailbox is closed")
        with self._translated():
            self._open.flag(message.key, MailMessageFlags.SEEN, value=True)

    def _connect(self) -> BaseMailBox:
        host, port = self._address
        if self._security == "tls":
            return MailBox(host, port, timeout=self._timeout, ssl_context=client_context(ca_file=self._ca_file))
        return MailBoxUnencrypted(host, port, timeout=self._timeout)

    def _fetch(self, connected: BaseMailBox, uid: str) -> bytes | None:
        """Return the start of a message, or None if it was deleted. `PEEK` does not set flags (section 6.4.5)."""
        answered, parts = connected.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{self._max_bytes}>)")
        if answered != "OK":
            raise MailboxError(f"{self._address[0]}: the server refused to return message {uid}")
        return next((part[1] for part in parts if isinstance(part, tuple)), None)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            raise MailboxError(f"{self._address[0]}: {str(error) or type(error).__name__}") from error


def _disconnect(connected: BaseMailBox) -> None:
    """Log out, or close the connection if the server does not respond."""
    try:
        connected.logout()
    except _BROKEN:
        with suppress(OSError):
            connected.client.shutdown()
