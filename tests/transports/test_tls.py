"""An own authority, a name of its own and our own name in EHLO, against servers that really speak TLS."""

from __future__ import annotations

import re
import ssl
import subprocess
from pathlib import Path

import pytest
from sending import session

from digestmail.errors import TransportError
from digestmail.oauth.local import FileTokens
from digestmail.transports.smtp.client import Security, SmtpTransport
from digestmail.transports.smtp.login import Login
from digestmail.transports.tls import client_context

from .contract import envelope, letter
from .scripted import HOST, Account, ScriptedServer, scripted

pytestmark = pytest.mark.parametrize("security", ["starttls", "tls"])


@pytest.fixture(scope="module")
def institute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with an institute's own CA (ca.crt) and a relay's certificate from it (relay.pem)."""
    place = tmp_path_factory.mktemp("institute")

    def openssl(command: str) -> None:
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True, cwd=place)

    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    # As little as institutes write into it: neither key usage nor a key identifier.
    openssl(f"req -x509 {key} -days 2 -subj /CN=institute -keyout ca.key -out ca.crt")
    openssl(f"req {key} -subj /CN=relay -keyout relay.key -out relay.csr")
    (place / "names").write_text("subjectAltName=DNS:relay.example.org\n")
    openssl("x509 -req -in relay.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out relay.crt")
    (place / "relay.pem").write_bytes((place / "relay.key").read_bytes() + (place / "relay.crt").read_bytes())
    return place


@pytest.fixture
def relay_tls(institute: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(institute / "relay.pem")
    return context


def transport(server: ScriptedServer, security: Security, **options) -> SmtpTransport:
    return SmtpTransport(host=HOST, port=server.port, security=security, timeout=5, **options)


def sends(server: ScriptedServer, security: Security, **options) -> None:
    with session(transport(server, security, **options)) as opened:
        opened.send(envelope(), letter("one"))
    assert [mail.content for mail in server.messages] == [letter("one")]


def is_refused(server: ScriptedServer, security: Security, match: str, **options) -> None:
    with pytest.raises(TransportError, match=match), session(transport(server, security, **options)):
        pass
    assert "MAIL" not in server.verbs()
    assert "AUTH" not in server.verbs()


def test_a_relay_with_a_certificate_of_an_own_authority_is_verified_by_its_name(
    institute: Path, relay_tls: ssl.SSLContext, security: Security
) -> None:
    names: list[str | None] = []
    relay_tls.sni_callback = lambda _socket, name, _context: names.append(name)
    options = {"ca_file": institute / "ca.crt", "server_name": "relay.example.org"}
    login = Login(username="me", password="hunter2")
    with scripted(
        extensions=["PIPELINING", "AUTH PLAIN"], tls=relay_tls, immediate_tls=security == "tls",
        account=Account("me", "hunter2"),
    ) as server:  # fmt: skip
        sends(server, security, login=login, **options)
    assert names == ["relay.example.org"]


def test_an_own_authority_does_not_make_any_name_right(
    institute: Path, relay_tls: ssl.SSLContext, security: Security
) -> None:
    with scripted(tls=relay_tls, immediate_tls=security == "tls") as server:
        is_refused(server, security, "not valid for .*; set server_name ", ca_file=institute / "ca.crt")
        wrong = {"ca_file": institute / "ca.crt", "server_name": "mail.example.org"}
        is_refused(server, security, "[Hh]ostname mismatch", **wrong)


def test_a_name_does_not_make_any_authority_right(
    certificate: Path, relay_tls: ssl.SSLContext, security: Security
) -> None:
    with scripted(tls=relay_tls, immediate_tls=security == "tls") as server:
        is_refused(server, security, "certificate is not valid: .*; set ca_file ", server_name="relay.example.org")
        other = certificate.with_suffix(".crt")
        is_refused(
            server,
            security,
            "certificate is not valid: .*; set ca_file ",
            ca_file=other,
            server_name="relay.example.org",
        )


def test_a_server_s_own_self_signed_certificate_may_be_trusted(
    certificate: Path, tls: ssl.SSLContext, security: Security
) -> None:
    with scripted(tls=tls, immediate_tls=security == "tls") as server:
        sends(server, security, ca_file=certificate.with_suffix(".crt"))


def test_with_an_own_authority_the_system_s_are_not_trusted(
    institute: Path, tls: ssl.SSLContext, security: Security, trusted: None
) -> None:
    with scripted(tls=tls, immediate_tls=security == "tls") as server:
        is_refused(server, security, "certificate is not valid: .*; set ca_file ", ca_file=institute / "ca.crt")


def test_a_line_in_the_wrong_mode_is_told_with_the_fix(tls: ssl.SSLContext, security: Security) -> None:
    """A port nobody knows: only the server shows what it speaks."""
    with scripted(tls=tls, immediate_tls=security != "tls") as server:
        options = {"host": HOST, "port": server.port, "security": security, "timeout": 0.5}
        with pytest.raises(TransportError) as caught, session(SmtpTransport(**options)):
            pass
    assert f'set security = "{"tls" if security == "starttls" else "starttls"}"' in str(caught.value)
    assert str(caught.value).count(str(server.port)) == 1


def test_a_refused_connection_is_named_once_and_without_numbers_of_the_system(security: Security) -> None:
    with scripted() as server:
        port = server.port
    with (
        pytest.raises(TransportError) as caught,
        session(SmtpTransport(host=HOST, port=port, security=security, timeout=5)),
    ):
        pass
    said = str(caught.value)
    assert said.count(str(port)) == 1
    assert "refused" in said.lower() or "Connect call failed" in said
    assert "Errno" not in said


def test_our_name_in_ehlo_is_the_one_that_is_wanted(certificate: Path, tls: ssl.SSLContext, security: Security) -> None:
    with scripted(tls=tls, immediate_tls=security == "tls") as server:
        sends(server, security, ca_file=certificate.with_suffix(".crt"), local_hostname="news.example.org")
        greetings = {command for command in server.commands if command.startswith("EHLO")}
    assert greetings == {"EHLO news.example.org"}


def test_a_machine_without_a_full_name_greets_with_its_address(
    certificate: Path, tls: ssl.SSLContext, security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda: "3f2a77c0b1d4")
    with scripted(tls=tls, immediate_tls=security == "tls") as server:
        sends(server, security, ca_file=certificate.with_suffix(".crt"))
        greetings = {command for command in server.commands if command.startswith("EHLO")}
    assert all(re.fullmatch(r"EHLO \[[0-9.]+\]", greeting) for greeting in greetings)


def test_what_holds_no_certificate_is_an_error_that_names_the_file(tmp_path: Path, security: Security) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(OSError, match=r"ca\.pem holds no certificate"):
        client_context(ca_file=tmp_path / "ca.pem", server_name=f"{security}.example.org")


def test_an_access_token_is_read_anew_for_every_connection(
    certificate: Path, tls: ssl.SSLContext, security: Security, tmp_path: Path
) -> None:
    login = Login(username="me", tokens=FileTokens(tmp_path / "token"))
    options = {"ca_file": certificate.with_suffix(".crt"), "login": login}
    with scripted(
        extensions=["AUTH XOAUTH2"], tls=tls, immediate_tls=security == "tls", account=Account("me", "new")
    ) as server:
        (tmp_path / "token").write_text("\n")
        with pytest.raises(TransportError, match="no access token"), session(transport(server, security, **options)):
            pass
        (tmp_path / "token").write_text("old")
        with pytest.raises(TransportError, match="535"), session(transport(server, security, **options)):
            pass
        (tmp_path / "token").write_text("new\n")
        sends(server, security, **options)
