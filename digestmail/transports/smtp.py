"""Carry messages to a mail server by SMTP (RFC 5321), over one connection for as long as it lasts."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Literal

import idna

from digestmail.errors import DeliveryError, TransportError
from digestmail.model import Envelope
from digestmail.transports.base import Receipt, Session
from digestmail.transports.verdict import TOO_LARGE, Step, judge_refusal, reply_code, reply_text
from digestmail.transports.wellformed import require_wellformed

Security = Literal["none", "starttls", "tls"]

_SHUTTING_DOWN = 421


class _ConnectionLostError(TransportError):
    """The server hung up before it could have accepted the message."""


class SmtpTransport:
    """Opens SMTP sessions with one mail server."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: Security,
        username: str | None = None,
        password: str | None = None,
        timeout: float,
        local_hostname: str | None = None,
    ) -> None:
        """Take the way to the server; nothing is connected yet.

        With `starttls` and `tls` the server's certificate is verified against the system's authorities. `timeout` is
        the longest silence in seconds. `local_hostname` is our name in EHLO, by default the machine's.
        """
        self._host = host
        self._port = port
        self._security = security
        self._username = username
        self._password = password
        self._timeout = timeout
        self._local_hostname = local_hostname

    @contextmanager
    def open(self) -> Iterator[Session]:
        """Connect, secure the line and log in. Raises TransportError."""
        with closing(_SmtpSession(self._connect)) as session:
            yield session
            # Not after an exception: the server might still take QUIT for a line of the message.
            session.quit()

    def _connect(self) -> smtplib.SMTP:
        where = f"{self._host}:{self._port}"
        try:
            return self._greet()
        except smtplib.SMTPResponseException as error:
            said = reply_text(error.smtp_error)
            raise TransportError(
                f"the mail server at {where} turned us away: {error.smtp_code} {said}", code=reply_code(error.smtp_code)
            ) from error
        except OSError as error:
            raise TransportError(f"no connection to the mail server at {where}: {error}") from error
        except UnicodeError:
            # Not chained: the original holds the password.
            raise TransportError(f"host, user name and password for {where} must be ASCII") from None
        except ValueError as error:
            raise TransportError(f"the mail server at {where} is not intelligible: {error}") from error

    def _greet(self) -> smtplib.SMTP:
        with ExitStack() as undo:
            client = self._dial()
            undo.callback(client.close)
            client.ehlo_or_helo_if_needed()
            if self._security == "starttls":
                client.starttls(context=ssl.create_default_context())
                client.ehlo_or_helo_if_needed()  # what was offered in the clear counts no more (RFC 3207 section 4.2)
            if self._username is not None:
                client.login(self._username, self._password or "")
            undo.pop_all()
        return client

    def _dial(self) -> smtplib.SMTP:
        if self._security == "tls":
            return smtplib.SMTP_SSL(
                self._host,
                self._port,
                self._local_hostname,
                timeout=self._timeout,
                context=ssl.create_default_context(),
            )
        return smtplib.SMTP(self._host, self._port, self._local_hostname, timeout=self._timeout)


class _SmtpSession:
    """One connection, and a fresh one when the server ends it between or within transactions."""

    def __init__(self, connect: Callable[[], smtplib.SMTP]) -> None:
        self._connect = connect
        self._client: smtplib.SMTP | None = connect()

    def send(self, envelope: Envelope, message: bytes) -> Receipt:
        """Send one message; see `Session`.

        A DeliveryError with `code` None that is not permanent means that the outcome is unknown: the server had the
        whole message and its answer never came (RFC 5321 section 6.1).
        """
        require_wellformed(envelope, message)
        with suppress(_ConnectionLostError):
            return self._transact(envelope, message)
        # Servers hang up on idle and on long-used connections. Nothing was accepted, so this repeats nothing.
        return self._transact(envelope, message)

    def quit(self) -> None:
        """Take leave politely, if anybody is still there."""
        if self._client is not None:
            with suppress(OSError):
                self._client.quit()

    def close(self) -> None:
        """Drop the connection without a word."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _transact(self, envelope: Envelope, message: bytes) -> Receipt:
        if self._client is None:
            self._client = self._connect()
        options = _mail_options(self._client, envelope, message)
        try:
            return _converse(self._client, envelope, message, options)
        except DeliveryError:
            self._reset(self._client)
            raise
        except TransportError:
            self.close()
            raise

    def _reset(self, client: smtplib.SMTP) -> None:
        """Make the connection ready for the next message, or let go of it."""
        try:
            ready, _ = client.rset()
        except OSError:
            ready = 0
        if ready != 250:  # noqa: PLR2004 - the one reply to RSET (RFC 5321 section 4.3.2)
            self.close()


def _converse(client: smtplib.SMTP, envelope: Envelope, message: bytes, options: Sequence[str]) -> Receipt:
    _ask(Step.MAIL, lambda: client.mail(_wire_address(envelope.sender), options))
    _ask(Step.RCPT, lambda: client.rcpt(_wire_address(envelope.recipient)))
    _ask(Step.DATA, lambda: client.docmd("DATA"))
    with _translating(Step.DATA):
        # When this fails, the final dot, being last, was not handed over: the server cannot have accepted anything.
        client.send(dot_stuffed(message))
    return _final_reply(client)


def _mail_options(client: smtplib.SMTP, envelope: Envelope, message: bytes) -> list[str]:
    """Declare what the message needs (RFC 1870, RFC 6531), or refuse before a word is said."""
    options = []
    if client.has_extn("size"):
        limit = client.esmtp_features["size"]
        if limit.isdecimal() and 0 < int(limit) < len(message):
            raise DeliveryError(
                f"the message has {len(message)} octets, the mail server takes {limit}", code=TOO_LARGE, permanent=True
            )
        options.append(f"SIZE={len(message)}")
    if _has_international_local_part(envelope.sender) or _has_international_local_part(envelope.recipient):
        if not client.has_extn("smtputf8"):
            raise _cannot_carry_utf8(envelope)
        options.append("SMTPUTF8")
    return options


def _cannot_carry_utf8(envelope: Envelope) -> DeliveryError | TransportError:
    if _has_international_local_part(envelope.sender):
        return TransportError("the sender's address needs SMTPUTF8, which the mail server does not offer")
    return DeliveryError(
        "the recipient's address needs SMTPUTF8, which the mail server does not offer", code=None, permanent=True
    )


def _has_international_local_part(address: str) -> bool:
    return not address.rpartition("@")[0].isascii()


def _wire_address(address: str) -> str:
    """Write the domain as A-labels (RFC 5890), which need no SMTPUTF8."""
    local_part, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    return local_part + at + idna.encode(domain, uts46=True).decode("ascii")


def _ask(step: Step, command: Callable[[], tuple[int, bytes]]) -> None:
    """Give one command, and raise unless the server says to go on."""
    with _translating(step):
        code, raw = command()
    text = reply_text(raw)
    if code == _SHUTTING_DOWN:
        raise _ConnectionLostError(f"the mail server is shutting down: {code} {text}", code=code)
    if code // 100 == (3 if step is Step.DATA else 2):
        return
    raise judge_refusal(step, code, text)


def _final_reply(client: smtplib.SMTP) -> Receipt:
    """Hear what became of the message, now that the server has all of it."""
    try:
        code, raw = client.getreply()
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException) as error:
        raise _outcome_unknown(client) from error
    text = reply_text(raw)
    if code // 100 == 2:  # noqa: PLR2004 - the first digit is the verdict (RFC 5321 section 4.2.1)
        return Receipt(code=code, text=text)
    if code // 100 in {4, 5}:
        raise judge_refusal(Step.CONTENT, code, text)
    raise _outcome_unknown(client)


def _outcome_unknown(client: smtplib.SMTP) -> DeliveryError:
    client.close()
    return DeliveryError(
        "no intelligible reply to the end of the message: the outcome is unknown", code=None, permanent=False
    )


def dot_stuffed(message: bytes) -> bytes:
    """Return the octets that follow DATA, the final dot included (RFC 5321 section 4.5.2); line ends must be CRLF."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    if message.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")


@contextmanager
def _translating(step: Step) -> Iterator[None]:
    """Turn what smtplib raises while waiting for a reply into our errors."""
    try:
        yield
    except smtplib.SMTPServerDisconnected as error:
        # smtplib reports a time-out as a lost connection, with the time-out as its context. Waiting once more for a
        # server that is stuck helps nobody, whereas one that hung up usually answers the next call.
        if isinstance(error.__context__, TimeoutError):
            raise TransportError(f"the mail server did not answer to {step} in time") from error
        raise _ConnectionLostError(f"the mail server hung up at {step}") from error
    except smtplib.SMTPResponseException as error:
        raise TransportError(f"the mail server's answer to {step} is not intelligible") from error
