"""Certificates of mail servers that really speak TLS."""

from __future__ import annotations

import sys
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
