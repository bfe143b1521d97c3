"""An IMAP folder (RFC 9051). Messages that are done get the flag Seen; unreadable ones are copied to a subfolder."""

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

from digestmail.bounces.mailboxes.base import MailboxError, ReceivedMessage, too_large
from digestmail.bounces.mailboxes.imap_login import RefusedLoginError, authenticate
from digestmail.errors import TransportError
from digestmail.transports.sasl import AccessTokens
from digestmail.transports.tls import client_context

Security = Literal["none", "starttls", "tls"]
_PORTS: dict[Security, int] = {"none": 143, "starttls": 143, "tls": 993}
_QUARANTINE = "quarantine"
_REFUSED = (imaplib.IMAP4.error, ImapToolsError)
_BROKEN = (OSError, imaplib.IMAP4.error, ImapToolsError, TransportError, UnicodeError, ValueError)


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
        tokens: AccessTokens | None = None,
    ) -> None:
        """Store the settings; nothing is connected yet. `timeout` is in seconds, for each step.

        At most `max_bytes` of each message are fetched. `ca_file` (PEM) replaces the system's trusted certificates.
        With `tokens`, the login is by OAuth 2, and `password` is not used.
        """
        self._address = (host, port or _PORTS[security])
        self._security = security
        self._ca_file = ca_file
        self._login = (username, password, folder)
        self._tokens = tokens
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._open: BaseMailBox | None = None

    def messages(self) -> Iterator[ReceivedMessage]:
        """Yield the unseen messages, oldest first. They stay unseen until they are done. Raises MailboxError."""
        connected = self._opened()
        try:
            with self._translated():
                uids = connected.uids(AND(seen=False))
            self._open = connected
            for uid in uids:
                with self._translated():
                    message = self._fetch(connected, uid)
                if message is not None:
                    yield message
        finally:
            self._open = None
            _disconnect(connected)

    def mark_done(self, message: ReceivedMessage) -> None:
        """Flag a message as seen. Only possible while `messages` is being iterated."""
        if self._open is None:
            raise MailboxError("the mailbox is closed")
        with self._translated():
            self._add_flags(self._open, message.key, MailMessageFlags.SEEN)

    def quarantine(self, message: ReceivedMessage) -> bool:
        """Copy a message to the subfolder `quarantine` and flag it as seen, or as seen and flagged if that is refused.

        Only possible while `messages` is being iterated.
        """
        if self._open is None:
            raise MailboxError("the mailbox is closed")
        with self._translated():
            flags = [MailMessageFlags.SEEN]
            try:
                self._open.copy(message.key, _quarantine_folder(self._open, self._login[2], create=True))
            except _REFUSED:
                flags.append(MailMessageFlags.FLAGGED)
            self._add_flags(self._open, message.key, *flags)
        return True

    def _add_flags(self, connected: BaseMailBox, uid: str, *flags: str) -> None:
        """Add flags to a message. `BaseMailBox.flag` would also expunge what others marked as deleted."""
        answered, _ = connected.client.uid("STORE", uid, "+FLAGS.SILENT", f"({' '.join(flags)})")
        if answered != "OK":
            raise MailboxError(f"{self._address[0]}: the server refused to flag message {uid}")

    def count_quarantined(self) -> int:
        """Return the number of messages in the subfolder `quarantine`. Connects to the server."""
        connected = self._opened()
        try:
            with self._translated():
                folder = _quarantine_folder(connected, self._login[2], create=False)
                return connected.folder.status(folder, ["MESSAGES"])["MESSAGES"] if folder else 0
        finally:
            _disconnect(connected)

    def _opened(self) -> BaseMailBox:
        """Connect and log in. A refused access token is replaced once. Raises MailboxError."""
        with self._translated():
            token = self._tokens.get() if self._tokens else ""
            try:
                return self._logged_in(token)
            except RefusedLoginError:
                other = self._tokens.renew(token) if self._tokens else None
                if other is None:
                    raise
                return self._logged_in(other)

    def _logged_in(self, token: str) -> BaseMailBox:
        connected = self._connect()
        try:
            if self._security == "starttls":
                connected.client.starttls(client_context(ca_file=self._ca_file))
            if self._tokens is None:
                connected.login(*self._login)
            else:
                authenticate(connected, self._login[0], token, host=self._address[0], port=self._address[1])
                connected.folder.set(self._login[2])
        except BaseException:
            _disconnect(connected)
            raise
        return connected

    def _connect(self) -> BaseMailBox:
        host, port = self._address
        if self._security == "tls":
            return MailBox(host, port, timeout=self._timeout, ssl_context=client_context(ca_file=self._ca_file))
        return MailBoxUnencrypted(host, port, timeout=self._timeout)

    def _fetch(self, connected: BaseMailBox, uid: str) -> ReceivedMessage | None:
        """Return the start of a message, or None if it was deleted. `PEEK` does not set flags (section 6.4.5)."""
        answered, parts = connected.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{self._max_bytes + 1}>)")
        if answered != "OK":
            return ReceivedMessage(raw=b"", key=uid, problem="the server refused to return it")
        raw = next((part[1] for part in parts if isinstance(part, tuple)), None)
        if raw is None:
            return None
        problem = too_large(self._max_bytes) if len(raw) > self._max_bytes else ""
        return ReceivedMessage(raw=raw[: self._max_bytes], key=uid, problem=problem)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            raise MailboxError(f"{self._address[0]}: {str(error) or type(error).__name__}") from error


def _quarantine_folder(connected: BaseMailBox, folder: str, *, create: bool) -> str:
    """Return the name of the folder for unreadable messages, below `folder`; empty if it does not exist.

    The character between two levels is the server's (RFC 9051 section 7.3.1).
    """
    here = connected.folder.list(search_args=folder)
    name = f"{folder}{(here[0].delim if here else '') or '/'}{_QUARANTINE}"
    if connected.folder.exists(name):
        return name
    if not create:
        return ""
    connected.folder.create(name)
    return name


def _disconnect(connected: BaseMailBox) -> None:
    """Log out, or close the connection if the server does not respond."""
    try:
        connected.logout()
    except _BROKEN:
        with suppress(OSError):
            connected.client.shutdown()
