"""Carry messages to a mail server by SMTP (RFC 5321) or LMTP (RFC 2033).

A library connects, greets, secures the line and logs in; the transactions are ours (`conversation`).
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import aiosmtplib

from digestmail.errors import TransportError
from digestmail.transports.base import Connection
from digestmail.transports.smtp.manners import Manners, dies_of_it, face
from digestmail.transports.smtp.replies import reply_code, reply_text
from digestmail.transports.smtp.reply_reader import Reply, ReplyReader
from digestmail.transports.smtp.sender_faults import fault_of
from digestmail.transports.smtp.transaction import Conversation
from digestmail.transports.tls import client_context, connection_trouble

Security = Literal["none", "starttls", "tls"]
Dialect = Literal["smtp", "lmtp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who we are to the server. With `token_file` (an OAuth 2 access token, read anew each time) it is XOAUTH2."""

    username: str
    password: str = ""
    token_file: Path | None = None


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
        """Connect, secure the line, log in; QUIT at the end, if it ends well. Raises TransportError."""
        with self._translated():
            own_name = self.local_hostname
            if own_name is None:
                own_name = await asyncio.to_thread(_own_name)
            client = self._client(own_name)
        try:
            with self._translated():
                greeting = (await client.connect()).message
                if self.security == "starttls":
                    await self._require_starttls(client)
                    await client.starttls(server_hostname=self.server_name)
                await _greet(client)
                await self._log_in(client)
                self._require_open(client)
            wire = ReplyReader(cast("asyncio.Transport", client.transport))  # uvloop's are no subclass
        except BaseException:
            transport = client.transport
            client.close()
            if transport is not None:
                cast("asyncio.Transport", transport).abort()  # a polite end may take longer than the event loop lives
            raise
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

    async def _log_in(self, client: aiosmtplib.SMTP) -> None:
        if self.login is None:
            return
        if not client.supports_extension("auth"):
            advice = "remove username" if self.security != "none" else 'set security = "starttls", or remove username'
            raise TransportError(f"the mail server at {self._where} offers no login: {advice}")
        if self.login.token_file is not None:
            await client.auth_xoauth2(self.login.username, _read_token(self.login.token_file))
        else:
            await client.login(self.login.username, self.login.password)

    def _without_secret(self, text: str) -> str:
        """Take the password or token out of what a server says of a login, in clear and in base64 (RFC 4954)."""
        if self.login is None:
            return text
        token_file = self.login.token_file
        secret = self.login.password if token_file is None else _read_token(token_file)
        if len(secret) >= _LONG_ENOUGH_TO_FIND:
            text = text.replace(secret, "***")
        return _BASE64.sub(lambda word: "***" if _holds(word[0], secret.encode()) else word[0], text)

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
            raise _refused(where, error.code, error.message) from error
        except (aiosmtplib.SMTPTimeoutError, TimeoutError) as error:
            hint = ' (does this port expect TLS from the first byte? then set security = "tls")'
            raise TransportError(
                f"no connection to {where}: it did not answer in time{'' if self.security == 'tls' else hint}"
            ) from error
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected, OSError) as error:
            raise TransportError(f"no connection to {where}: {connection_trouble(error)}") from error
        except aiosmtplib.SMTPResponseException as error:
            # Not chained: the original may hold what was sent, and some servers quote it.
            raise _refused(where, error.code, self._without_secret(error.message)) from None
        except UnicodeError:
            raise TransportError(f"host, user name and password for {where} must be ASCII") from None
        except (aiosmtplib.SMTPException, ValueError, RuntimeError) as error:
            raise TransportError(f"{where}: {reply_text(str(error))}") from None


_BASE64 = re.compile(r"[A-Za-z0-9+/]{2,}={0,2}")


_LONG_ENOUGH_TO_FIND = 6
"""Characters of a secret that can be told from other words; a shorter one is in any of them."""


def _holds(word: str, secret: bytes) -> bool:
    """Return whether `word` is the base64 of what a login with `secret` sends (LOGIN, RFC 4616, XOAUTH2)."""
    try:
        sent = base64.b64decode(word, validate=True)
    except ValueError:
        return False
    return sent == secret or sent.endswith((b"\0" + secret, b"auth=Bearer " + secret + b"\1\1"))


def _refused(where: str, code: int, message: str) -> TransportError:
    if reply_code(code) is None:
        return TransportError(f"{where} is not intelligible: {reply_text(message)}")
    said = reply_text(message)
    fault = fault_of(code, said)
    pause, advice = (fault.pause, fault.advice) if fault else (None, "")
    hint = f"; {advice}" if advice else ""
    return TransportError(f"{where} answered {code} {said}{hint}", code=reply_code(code), pause=pause)


def _read_token(path: Path) -> str:
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise TransportError(f"{path}: the access token cannot be read: {error}") from error
    if not token:
        raise TransportError(f"{path}: there is no access token in the file")
    return token


def _own_name() -> str:
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
