"""A listener to which a mail server delivers bounces by LMTP (RFC 2033) or SMTP (RFC 5321)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Literal

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from digestmail.bounces.mailboxes.base import MailboxError
from digestmail.errors import StorageError

log = logging.getLogger("digestmail.bounces")

Process = Callable[[bytes, Sequence[str]], None]
"""Called with a message and its recipients. Returns after the commit. May raise StorageError or MailboxError."""
DEFAULT_PORT = 8024


class Listener:
    """Accepts mail for return paths and unsubscribe addresses only."""

    def __init__(
        self,
        process: Process,
        *,
        accepts: Callable[[str], bool],
        host: str,
        port: int | None,
        protocol: Literal["lmtp", "smtp"],
        max_bytes: int,
        timeout: float,
    ) -> None:
        """Store the settings. `accepts` decides which recipients are accepted; `timeout` is in seconds."""
        server = partial(
            LMTP if protocol == "lmtp" else SMTP,
            data_size_limit=max_bytes,
            timeout=timeout,
            enable_SMTPUTF8=True,
            ident="digestmail",
        )
        self._server = server
        self._handler = _Handler(process, accepts)
        self._address = (host, port or DEFAULT_PORT)
        self._controller: _Controller | None = None

    def start(self) -> None:
        """Start listening in a new thread. Raises MailboxError if the port is not available."""
        host, port = self._address
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            opened = socket.create_server((host, port), family=family)
        except OSError as error:
            raise MailboxError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
        self._controller = _Controller(self._server, self._handler, opened)
        self._controller.start()

    def stop(self) -> None:
        """Finish the messages in progress and close the port."""
        if self._controller is not None:
            self._controller.stop()


class _Handler:
    def __init__(self, process: Process, accepts: Callable[[str], bool]) -> None:
        self._process = process
        self._wants = accepts

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Refuse other recipients: this is not a relay."""
        if not self._wants(address):
            return "550 5.1.1 no such mailbox"
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"  # LMTP would need a reply for each recipient
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Reply after the commit: until then, the other server is responsible for the message."""
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            await asyncio.to_thread(self._process, raw, tuple(envelope.rcpt_tos))
        except (StorageError, MailboxError) as error:
            log.error("not recorded: %s", error)  # noqa: TRY400 - expected, and the other server tries again
            return "451 4.3.0 try again later"
        return "250 2.0.0 OK"


class _Controller(Controller):
    """A controller for a socket that is already open, for either protocol."""

    def __init__(self, server: Callable[..., SMTP], handler: _Handler, opened: socket.socket) -> None:
        host, port = opened.getsockname()[:2]
        super().__init__(handler, hostname=host, port=port)
        self._make = server
        self._opened = opened

    def factory(self) -> SMTP:
        return self._make(self.handler)

    def _create_server(self) -> Coroutine[Any, Any, asyncio.Server]:
        return self.loop.create_server(self._factory_invoker, sock=self._opened)
