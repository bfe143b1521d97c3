"""Certificates of mail servers that really speak TLS."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes import THURSDAY
from loopback import listening, stalling

from digestmail.doctor.certificates import TlsServer, judge_certificate, probe_certificate
from digestmail.doctor.findings import Severity

sys.path.append(str(Path(__file__).parents[1] / "transports"))
from scripted import scripted

DAY = timedelta(days=1)


def server(port: int, certificate: Path | None, **changes) -> TlsServer:
    fields = {
        "name": "mail.smtp", "host": "127.0.0.1", "port": port, "security": "starttls", "protocol": "smtp",
        "ehlo_name": "me.example.org", "ca_file": certificate and certificate.with_suffix(".crt"),
        "server_name": None, "timeout": 5.0,
    }  # fmt: skip
    return TlsServer(**(fields | changes))


def imap(context: ssl.SSLContext | None, *, at_once: bool):
    """Speak as much IMAP as comes before TLS; without a context, refuse STARTTLS."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        del over
        if not at_once:
            connection.sendall(b"* OK ready\r\n")
            with connection.makefile("rb") as file:
                for line in file:
                    tag, _, command = line.decode().strip().partition(" ")
                    if command == "CAPABILITY":
                        connection.sendall(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n")
                    refused = command == "STARTTLS" and context is None
                    connection.sendall(f"{tag} {'NO' if refused else 'OK'} done\r\n".encode())
                    if command == "STARTTLS":
                        break
        if context is not None:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

    return talk


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_certificate_of_an_imap_server_is_read(certificate, tls, security):
    with listening(imap(tls, at_once=security == "tls")) as listener:
        changes = {"protocol": "imap", "name": "bounces", "security": security}
        (finding,) = probe_certificate(server(listener.port, certificate, **changes), datetime.now(UTC))
    assert "more days" in finding.text


def test_an_imap_server_that_refuses_starttls_fails():
    with listening(imap(None, at_once=False)) as listener:
        (finding,) = probe_certificate(server(listener.port, None, protocol="imap"), THURSDAY)
    assert finding.severity is Severity.FAIL
    assert "offers no STARTTLS" in finding.text


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_end_of_a_certificate_is_read(certificate, tls, security):
    with scripted(tls=tls, immediate_tls=security == "tls") as smtp:
        (finding,) = probe_certificate(server(smtp.port, certificate, security=security), datetime.now(UTC))
        assert "MAIL" not in smtp.verbs()
    assert "the certificate of 127.0.0.1:" in finding.text
    assert "more days" in finding.text


def test_a_certificate_that_is_not_trusted_fails_with_its_remedy(tls):
    with scripted(tls=tls) as smtp:
        (finding,) = probe_certificate(server(smtp.port, None), THURSDAY)
    assert finding.severity is Severity.FAIL
    assert "ca_file" in finding.text


def test_a_server_without_starttls_and_one_that_is_silent_fail():
    with scripted({"STARTTLS": ["502 5.5.1 not here"]}) as smtp:
        (without,) = probe_certificate(server(smtp.port, None), THURSDAY)
    with listening(stalling) as listener:
        (silent,) = probe_certificate(server(listener.port, None, timeout=0.2), THURSDAY)
        (imap,) = probe_certificate(server(listener.port, None, timeout=0.2, protocol="imap"), THURSDAY)
    assert [one.severity for one in (without, silent, imap)] == [Severity.FAIL] * 3


def test_no_tls_has_no_certificate():
    (finding,) = probe_certificate(server(1, None, security="none"), THURSDAY)
    assert finding.severity is Severity.SKIP


@pytest.mark.parametrize(
    ("left", "severity"), [(90 * DAY, Severity.OK), (13 * DAY, Severity.WARN), (-DAY, Severity.FAIL)]
)
def test_a_certificate_that_should_have_been_renewed_is_a_warning(left, severity):
    assert judge_certificate("here", THURSDAY + left, THURSDAY).severity is severity
