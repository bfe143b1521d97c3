"""The listener, readable_text to by LMTP and SMTP on loopback."""

from __future__ import annotations

import smtplib
import socket
from contextlib import contextmanager

import pytest

from digestmail.bounces.mailboxes.base import MailboxError
from digestmail.bounces.mailboxes.listener import Listener
from digestmail.errors import StorageError

OURS = "bounce+token@bounce.example.org"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def listening(protocol: str, take, *, port: int | None = None, max_bytes: int = 100_000):
    port = port or free_port()
    listener = Listener(
        take, accepts=lambda address: address == OURS, host="127.0.0.1", port=port, protocol=protocol,
        max_bytes=max_bytes, timeout=10,
    )  # fmt: skip
    listener.start()
    try:
        yield port
    finally:
        listener.stop()


CLIENTS = {"lmtp": smtplib.LMTP, "smtp": smtplib.SMTP}


@pytest.mark.parametrize("protocol", CLIENTS)
def test_a_bounce_is_taken_with_its_recipient(protocol):
    taken = []
    with listening(protocol, lambda *mail: taken.append(mail)) as port, CLIENTS[protocol]("127.0.0.1", port) as client:
        client.sendmail("", [OURS], b"Subject: x\r\n\r\n..dots\r\n")
    assert taken == [(b"Subject: x\r\n\r\n..dots\r\n", (OURS,))]


@pytest.mark.parametrize("protocol", CLIENTS)
def test_it_is_no_relay(protocol):
    with listening(protocol, lambda *_: None) as port, CLIENTS[protocol]("127.0.0.1", port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            client.sendmail("", ["somebody@example.com"], b"x")
        assert caught.value.recipients["somebody@example.com"][0] == 550


def test_one_recipient_at_a_time():
    with listening("lmtp", lambda *_: None) as port, smtplib.LMTP("127.0.0.1", port) as client:
        client.ehlo_or_helo_if_needed()
        client.mail("")
        assert client.rcpt(OURS)[0] == 250
        assert client.rcpt(OURS)[0] == 452


def test_what_cannot_be_recorded_is_not_accepted():
    def take(raw, recipients):
        raise StorageError("the disk is full")

    with listening("lmtp", take) as port, smtplib.LMTP("127.0.0.1", port) as client:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail("", [OURS], b"x")
        assert caught.value.smtp_code == 451


def test_a_request_that_is_too_large_is_refused():
    with (
        listening("smtp", lambda *_: None, max_bytes=2000) as port,
        smtplib.SMTP("127.0.0.1", port) as client,
        pytest.raises(smtplib.SMTPException),
    ):
        client.sendmail("", [OURS], b"x" * 5000)


def test_a_port_that_is_taken_is_a_clear_error():
    with listening("smtp", lambda *_: None) as port:
        listener = Listener(
            lambda *_: None,
            accepts=lambda _: True,
            host="127.0.0.1",
            port=port,
            protocol="smtp",
            max_bytes=1,
            timeout=1,
        )
        with pytest.raises(MailboxError, match="cannot listen"):
            listener.start()
