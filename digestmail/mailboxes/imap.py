"""An IMAP folder (RFC 9051): what is dealt with is flagged as seen."""

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

from digestmail.mailboxes.base import Arrived, MailboxError
from digestmail.tls import client_context

Security = Literal["none", "starttls", "tls"]
_PORTS: dict[Security, int] = {"none": 143, "starttls": 143, "tls": 993}
_BROKEN = (OSError, imaplib.IMAP4.error, ImapToolsError, UnicodeError, ValueError)


class ImapMailbox:
    """The unseen mails of one folder. Certificates are always checked."""

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
        """Connect nothing yet. `timeout` is the seconds a step may take; of a mail at most `max_bytes` are fetched.

        `ca_file` (PEM) holds the authorities that vouch for the server instead of the system's.
        """
        self._address = (host, port or _PORTS[security])
        self._security = security
        self._ca_file = ca_file
        self._login = (username, password, folder)
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._open: BaseMailBox | None = None

    def mails(self) -> Iterator[Arrived]:
        """Yield the unseen mails, oldest first; they stay unseen until they are done. Raises MailboxError."""
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
                    yield Arrived(raw=raw, place=uid)
        finally:
            self._open = None
            _leave(connected)

    def done(self, mail: Arrived) -> None:
        """Flag a mail as seen; only while the mails are being read."""
        if self._open is None:
            raise MailboxError("the mailbox is closed")
        with self._translated():
            self._open.flag(mail.place, MailMessageFlags.SEEN, value=True)

    def _connect(self) -> BaseMailBox:
        host, port = self._address
        if self._security == "tls":
            return MailBox(host, port, timeout=self._timeout, ssl_context=client_context(ca_file=self._ca_file))
        return MailBoxUnencrypted(host, port, timeout=self._timeout)

    def _fetch(self, connected: BaseMailBox, uid: str) -> bytes | None:
        """Return the beginning of a mail; None if it is gone. `PEEK` leaves its flags alone (section 6.4.5)."""
        answered, parts = connected.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{self._max_bytes}>)")
        if answered != "OK":
            raise MailboxError(f"{self._address[0]}: the server does not give mail {uid}")
        return next((part[1] for part in parts if isinstance(part, tuple)), None)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            raise MailboxError(f"{self._address[0]}: {str(error) or type(error).__name__}") from error


def _leave(connected: BaseMailBox) -> None:
    """Say goodbye, or hang up on a server that does not answer."""
    try:
        connected.logout()
    except _BROKEN:
        with suppress(OSError):
            connected.client.shutdown()
