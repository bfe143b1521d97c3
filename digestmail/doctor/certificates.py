"""Certificates of mail servers: when they expire. The connection is closed without a login."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from digestmail.doctor.findings import ProbeFinding, fail, ok, skip, warn
from digestmail.transports.tls import client_context, connection_trouble

PROBE = "certificate"
_SOON: Final = timedelta(days=14)
"""Let's Encrypt renews certificates 30 days before they expire, so one with less time was not renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServer:
    """A mail server as the configuration names it."""

    name: str
    """The table: "mail.smtp"."""
    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    protocol: Literal["smtp", "lmtp", "imap"]
    ehlo_name: str
    ca_file: Path | None
    server_name: str | None
    timeout: float


def probe_certificate(server: TlsServer, now: datetime) -> Iterator[ProbeFinding]:
    """Yield for how long the certificate of a server is valid."""
    if server.security == "none" or server.host.startswith("/"):
        yield skip(PROBE, f"[{server.name}] is used without TLS")
        return
    where = f"{server.host}:{server.port}"
    try:
        end = certificate_end(server)
    except (OSError, smtplib.SMTPException, imaplib.IMAP4.error) as error:
        yield fail(PROBE, f"{where}: {connection_trouble(error)}")
        return
    yield judge_certificate(where, end, now)


def judge_certificate(where: str, end: datetime, now: datetime) -> ProbeFinding:
    """Judge when a certificate that is valid now expires."""
    days = (end - now) // timedelta(days=1)
    text = f"the certificate of {where} is valid for {days} more days"
    if end <= now:
        return fail(PROBE, f"the certificate of {where} has expired", "renew it, or correct the clock of this machine")
    if end - now < _SOON:
        return warn(PROBE, text, "have its operator renew it: it should have been renewed by now")
    return ok(PROBE, text)


def certificate_end(server: TlsServer) -> datetime:
    """Return when the certificate of a server expires. Raises OSError, SMTPException or IMAP4.error."""
    context = client_context(ca_file=server.ca_file)
    with (
        closing(_plain(server)) as plain,
        context.wrap_socket(plain, server_hostname=server.server_name or server.host) as secured,
    ):
        certificate = secured.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def _plain(server: TlsServer) -> socket.socket:
    """Return a connection on which TLS begins now."""
    if server.security == "tls":
        return socket.create_connection((server.host, server.port), server.timeout)
    if server.protocol == "imap":
        return _imap(server)
    greet = "LHLO" if server.protocol == "lmtp" else "EHLO"
    smtp = smtplib.SMTP(timeout=server.timeout, local_hostname=server.ehlo_name)
    try:
        _begin_tls(smtp, server, greet)
    except BaseException:
        smtp.close()
        raise
    if smtp.sock is None:
        raise OSError("the connection was lost")
    return smtp.sock


def _imap(server: TlsServer) -> socket.socket:
    imap = imaplib.IMAP4(server.host, server.port, server.timeout)
    try:
        answered, _ = imap._simple_command("STARTTLS")  # noqa: SLF001 - `starttls` would wrap the socket itself
        if answered != "OK":
            raise OSError("the server offers no STARTTLS")  # noqa: TRY301 - closed like after any other error
    except BaseException:
        imap.shutdown()
        raise
    return imap.sock


def _begin_tls(smtp: smtplib.SMTP, server: TlsServer, greet: str) -> None:
    smtp.connect(server.host, server.port)
    smtp.docmd(greet, server.ehlo_name)
    code, said = smtp.docmd("STARTTLS")
    if code != 220:  # noqa: PLR2004 - ready to start TLS (RFC 3207 section 4)
        raise smtplib.SMTPResponseException(code, said)
