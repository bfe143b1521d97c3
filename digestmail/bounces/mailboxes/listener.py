"""A listener of our own: the mail server hands bounces over by LMTP (RFC 2033) or SMTP (RFC 5321)."""

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

Take = Callable[[bytes, Sequence[str]], None]
"""Given a mail and whom it was sent to; returns once what it says is committed. May raise StorageError."""
DEFAULT_PORT = 8024


class Listener:
    """Takes mail for the return paths and for nobody else."""

    def __init__(
        self,
        take: Take,
        *,
        wants: Callable[[str], bool],
        host: str,
        port: int | None,
        protocol: Literal["lmtp", "smtp"],
        max_bytes: int,
        timeout: float,
    ) -> None:
        """Listen nowhere yet. `wants` says of an address whether it is one of ours; `timeout` is seconds of silence."""
        server = partial(
            LMTP if protocol == "lmtp" else SMTP,
            data_size_limit=max_bytes,
            timeout=timeout,
            enable_SMTPUTF8=True,
            ident="digestmail",
        )
        self._server = server
        self._handler = _Handler(take, wants)
        self._address = (host, port or DEFAULT_PORT)
        self._controller: _Controller | None = None

    def start(self) -> None:
        """Listen, in a thread of its own. Raises MailboxError when the port cannot be had."""
        host, port = self._address
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            opened = socket.create_server((host, port), family=family)
        except OSError as error:
            raise MailboxError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
        self._controller = _Controller(self._server, self._handler, opened)
        self._controller.start()

    def stop(self) -> None:
        """Finish the mails in hand and close the port."""
        if self._controller is not None:
            self._controller.stop()


class _Handler:
    def __init__(self, take: Take, wants: Callable[[str], bool]) -> None:
        self._take = take
        self._wants = wants

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Refuse what is not for us: this is no relay."""
        if not self._wants(address):
            return "550 5.1.1 no such mailbox"
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"  # a bounce has one, and LMTP answers for each
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer only once it is committed: until then the mail is the other server's."""
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            await asyncio.to_thread(self._take, raw, tuple(envelope.rcpt_tos))
        except StorageError as error:
            log.error("not recorded: %s", error)  # noqa: TRY400 - expected, and told to the other server
            return "451 4.3.0 try again later"
        return "250 2.0.0 OK"


class _Controller(Controller):
    """A controller on a socket that is open already, for either protocol."""

    def __init__(self, server: Callable[..., SMTP], handler: _Handler, opened: socket.socket) -> None:
        host, port = opened.getsockname()[:2]
        super().__init__(handler, hostname=host, port=port)
        self._make = server
        self._opened = opened

    def factory(self) -> SMTP:
        return self._make(self.handler)

    def _create_server(self) -> Coroutine[Any, Any, asyncio.Server]:
        return self.loop.create_server(self._factory_invoker, sock=self._opened)
