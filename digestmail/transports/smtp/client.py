"""Carry messages to a mail server by SMTP (RFC 5321) or LMTP (RFC 2033).

A library connects, greets, secures the line and logs in; the transactions are ours (`conversation`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import aiosmtplib

from digestmail.errors import TransportError
from digestmail.transports.base import Connection
from digestmail.transports.smtp.login import Login, RefusedTokenError, log_in, refused
from digestmail.transports.smtp.manners import Manners, dies_of_it, face
from digestmail.transports.smtp.replies import reply_text
from digestmail.transports.smtp.reply_reader import Reply, ReplyReader
from digestmail.transports.smtp.transaction import Conversation
from digestmail.transports.tls import client_context, connection_trouble

Security = Literal["none", "starttls", "tls"]
Dialect = Literal["smtp", "lmtp"]


@dataclass(slots=True, kw_only=True)
class SmtpTransport:
    """Opens connections to one mail server; nothing is connected before it is asked for."""

    host: str
    """A host name, or the path of a local socket."""
    port: int
    security: Security
    """With `starttls` and `tls` the server's certificate is verified."""
    timeout: float
    """The longest silence in seconds; ten times that after the final dot."""
    login: Login | None = None
    ca_file: Path | None = None
    """The authorities that vouch for the server (PEM); None: the system's."""
    server_name: str | None = None
    """The name in the server's certificate; None: the host."""
    local_hostname: str | None = None
    """Our name in EHLO, by default the machine's, or its address where the name is no full one."""
    dialect: Dialect = "smtp"
    name: str = "smtp"
    connections: int = 1
    messages_per_connection: int = 1000
    messages_per_second: float | None = None
    manners: Manners = field(default_factory=Manners)

    @property
    def server(self) -> str:
        """`host:port`, or the path of the socket."""
        return self._where

    @property
    def _where(self) -> str:
        return self.host if self.host.startswith("/") else f"{self.host}:{self.port}"

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Connect, secure the line, log in; QUIT at the end, if it ends well. Raises TransportError.

        If an access token is refused, another one is tried once, over a new connection.
        """
        tokens = self.login.tokens if self.login else None
        token = await asyncio.to_thread(tokens.get) if tokens else ""  # fetching one may take a while
        try:
            client, greeting, wire = await self._open(token)
        except RefusedTokenError:
            other = await asyncio.to_thread(tokens.renew, token) if tokens else None
            if other is None:
                raise
            client, greeting, wire = await self._open(other)
        terms = self.manners.meet(
            face(greeting, client.esmtp_extensions),
            offered="pipelining" in client.esmtp_extensions,
            dies_of_it=dies_of_it(greeting, self.dialect),
        )
        conversation = Conversation(
            wire,
            client.esmtp_extensions,
            terms,
            timeout=self.timeout,
            limit=self.messages_per_connection,
        )
        try:
            yield conversation
            await conversation.quit()
        finally:
            wire.abort()

    async def _open(self, token: str) -> tuple[aiosmtplib.SMTP, str, ReplyReader]:
        """Return a client that has logged in, the greeting of the server, and its connection."""
        with self._translated():
            own_name = self.local_hostname
            if own_name is None:
                own_name = await asyncio.to_thread(machine_name)
            client = self._client(own_name)
        try:
            with self._translated():
                greeting = (await client.connect()).message
                if self.security == "starttls":
                    await self._require_starttls(client)
                    await client.starttls(server_hostname=self.server_name)
                await _greet(client)
                await self._log_in(client, token)
                self._require_open(client)
            return client, greeting, ReplyReader(cast("asyncio.Transport", client.transport))  # uvloop's: no subclass
        except BaseException:
            transport = client.transport
            client.close()
            if transport is not None:
                cast("asyncio.Transport", transport).abort()  # a polite end may take longer than the event loop lives
            raise

    async def _log_in(self, client: aiosmtplib.SMTP, token: str) -> None:
        if self.login is None:
            return
        if not client.supports_extension("auth"):
            advice = "remove username" if self.security != "none" else 'set security = "starttls", or remove username'
            raise TransportError(f"the mail server at {self._where} offers no login: {advice}")
        await log_in(client, self.login, token, f"the mail server at {self._where}", self.port)

    async def _require_starttls(self, client: aiosmtplib.SMTP) -> None:
        await _greet(client)
        if not client.supports_extension("starttls"):
            raise TransportError(
                f"the mail server at {self._where} offers no STARTTLS: use a port that does (usually 587),"
                ' or set security = "none" if nobody can listen on the way'
            )

    def _require_open(self, client: aiosmtplib.SMTP) -> None:
        if client.transport is None or client.transport.is_closing():
            raise TransportError(f"the connection to the mail server at {self._where} was lost at once")

    def _client(self, own_name: str) -> aiosmtplib.SMTP:
        kind = _Lmtp if self.dialect == "lmtp" else aiosmtplib.SMTP
        local = self.host.startswith("/")
        return kind(
            hostname=None if local else self.host,
            port=None if local else self.port,
            socket_path=self.host if local else None,
            local_hostname=own_name,
            timeout=self.timeout,
            use_tls=self.security == "tls",
            start_tls=False,
            tls_context=None
            if self.security == "none"
            else client_context(ca_file=self.ca_file, server_name=self.server_name),
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what goes wrong while a connection is made into our error, which never holds a password."""
        where = f"the mail server at {self._where}"
        try:
            yield
        except aiosmtplib.SMTPConnectResponseError as error:
            raise refused(where, error.code, error.message) from error
        except (aiosmtplib.SMTPTimeoutError, TimeoutError) as error:
            hint = ' (does this port expect TLS from the first byte? then set security = "tls")'
            raise TransportError(
                f"no connection to {where}: it did not answer in time{'' if self.security == 'tls' else hint}"
            ) from error
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected, OSError) as error:
            raise TransportError(f"no connection to {where}: {connection_trouble(error)}") from error
        except aiosmtplib.SMTPResponseException as error:
            raise refused(where, error.code, error.message) from error
        except UnicodeError:
            raise TransportError(f"host, user name and password for {where} must be ASCII") from None
        except (aiosmtplib.SMTPException, ValueError, RuntimeError) as error:
            raise TransportError(f"{where}: {reply_text(str(error))}") from None


def machine_name() -> str:
    """Return our name for EHLO: this machine's, or an address literal where that has no dot (RFC 5321 section 4.1.4).

    A container's name is a bare id, which servers that ask for a full one refuse (504).
    """
    name = socket.getfqdn()
    if "." in name:
        return name
    try:
        return f"[{socket.gethostbyname(socket.gethostname())}]"
    except OSError:
        return "[127.0.0.1]"


async def _greet(client: aiosmtplib.SMTP) -> None:
    """Say EHLO, or HELO to a server that knows no better; after STARTTLS and before a login it may be said already."""
    if client.last_ehlo_response is not None:
        return
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


class _Lmtp(aiosmtplib.SMTP):
    """Greets with LHLO, and that is all the difference for one recipient a message (RFC 2033 section 4.1)."""

    async def ehlo(self, *_: object, **__: object) -> aiosmtplib.SMTPResponse:
        response = await self.execute_command(b"LHLO", (self.local_hostname or "localhost").encode("ascii"))
        self.last_ehlo_response = response
        if not Reply(response.code, "").positive:
            raise aiosmtplib.SMTPResponseException(response.code, response.message)
        return response
