"""Webhooks against a receiver that verifies with the public library of Standard Webhooks."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from datetime import timedelta

import pytest
from fakes import THURSDAY
from loopback import Talk, listening
from output_receiving import OTHER_SECRET, SECRET, Receiver, http_settings, message
from standardwebhooks import webhooks
from werkzeug import Response

from digestmail.clock import SystemClock
from digestmail.errors import OutputError, OutputGoneError
from digestmail.outputs.requests import HttpSettings
from digestmail.outputs.webhook import Webhook, secret_key


def webhook(url: str, *, secrets: tuple[str, ...] = (SECRET,), timeout: float = 5.0, clock=None) -> Webhook:
    return Webhook(
        http_settings(clock), url=url, secrets=secrets, timeout=timeout, base_url="https://digest.example.org"
    )


def test_a_receiver_verifies_the_signature_and_gets_the_edition(httpserver):
    receiver = Receiver()
    hook = webhook(receiver.listen(httpserver))

    assert hook.send(message("A Cache That Forgets", "Étude <b>")) == "204"

    (payload,) = receiver.accepted
    assert payload["type"] == "edition.published"
    assert payload["timestamp"] == "2026-04-02T06:00:00Z"
    data = payload["data"]
    assert (data["digest"], data["slot"], data["title"]) == ("daily", "2026-04-02", "Trending papers")
    assert data["url"] == "https://digest.example.org/daily/2026-04-02"
    (section,) = data["sections"]
    assert section["topic"] == "Caches"
    assert [paper["title"] for paper in section["papers"]] == ["A Cache That Forgets", "Étude <b>"]
    assert section["papers"][0] | {"published_on": None} == {
        "id": "arxiv:2604.00001",
        "title": "A Cache That Forgets",
        "authors": ["Ada Example", "Boris Sample"],
        "more_authors": 0,
        "published_on": None,
        "links": {"paper": "https://arxiv.org/abs/2604.00001", "pdf": "https://arxiv.org/pdf/2604.00001"},
        "reasons": {"keywords": ["cache"]},
    }


def test_each_attempt_has_the_same_id_and_a_timestamp_of_its_own(httpserver):
    receiver = Receiver(answers=[Response(status=500)])
    hook = webhook(receiver.listen(httpserver))

    with pytest.raises(OutputError, match="answered 500"):
        hook.send(message("A"))
    receiver.now = THURSDAY + timedelta(hours=4)
    hook.send(message("A", sent_at=THURSDAY + timedelta(hours=4)))

    assert receiver.ids == ["msg_0123456789abcdef"] * 2
    assert len(receiver.accepted) == 1


def test_a_signature_is_refused_with_another_secret_or_a_changed_body(httpserver):
    receiver = Receiver(secret=OTHER_SECRET)
    hook = webhook(receiver.listen(httpserver))

    with pytest.raises(OutputError):  # the receiver's library raises, which is a 500
        hook.send(message("A"))
    assert receiver.accepted == []
    with pytest.raises(webhooks.WebhookVerificationError):
        httpserver.check_handler_errors()


def test_while_a_secret_is_replaced_receivers_with_the_old_and_with_the_new_one_both_verify(httpserver):
    old, new = Receiver(secret=OTHER_SECRET), Receiver(secret=SECRET)
    for path, receiver in (("/old", old), ("/new", new)):
        webhook(receiver.listen(httpserver, path), secrets=(SECRET, OTHER_SECRET)).send(message("A"))

    assert len(old.accepted) == len(new.accepted) == 1


def test_a_test_says_that_it_is_one(httpserver):
    receiver = Receiver()
    webhook(receiver.listen(httpserver)).send(message("A", test=True))

    assert receiver.accepted[0]["type"] == "edition.test"


def test_410_means_that_the_receiver_is_gone(httpserver):
    receiver = Receiver(answers=[Response("no more", status=410)])

    with pytest.raises(OutputGoneError, match="410: no more"):
        webhook(receiver.listen(httpserver)).send(message("A"))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(httpserver, status):
    elsewhere = Receiver()
    headers = {"Location": elsewhere.listen(httpserver, "/elsewhere")}
    receiver = Receiver(answers=[Response(status=status, headers=headers)])

    with pytest.raises(OutputError, match="redirects are not followed") as raised:
        webhook(receiver.listen(httpserver)).send(message("A"))
    assert not raised.value.permanent
    assert elsewhere.requests == 0


@pytest.mark.parametrize(
    ("headers", "wait"), [({"Retry-After": "120"}, 120.0), ({}, None), ({"Retry-After": "99999999"}, 86400.0)]
)
def test_retry_after_is_honored(httpserver, headers, wait):
    receiver = Receiver(answers=[Response(status=429, headers=headers)])

    with pytest.raises(OutputError) as raised:
        webhook(receiver.listen(httpserver)).send(message("A"))
    assert raised.value.retry_after == wait
    assert raised.value.status == 429


def test_a_refusal_shows_neither_the_query_nor_a_secret_that_the_server_repeats(httpserver):
    receiver = Receiver(answers=[Response(f"who uses {SECRET}?\x1b[2J", status=403)])
    url = receiver.listen(httpserver) + "?key=made-up-key"

    with pytest.raises(OutputError) as raised:
        webhook(url).send(message("A"))
    assert SECRET not in str(raised.value)
    assert "made-up-key" not in str(raised.value)
    assert str(raised.value).isprintable()


def read_post(connection: socket.socket) -> None:
    """Read a request with its body."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += connection.recv(65536)
    head, _, body = read.partition(b"\r\n\r\n")
    (length,) = re.findall(rb"(?i)content-length: (\d+)", head)
    while len(body) < int(length):
        body += connection.recv(65536)


def answering(answer: bytes) -> Talk:
    """Read the request, answer, and hang up."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        del over
        read_post(connection)
        connection.sendall(answer)

    return talk


def reset(connection: socket.socket, over: threading.Event) -> None:
    """Read the request and reset the connection."""
    del over
    read_post(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Read the request and say nothing."""
    read_post(connection)
    over.wait(10)


def test_a_connection_that_is_reset_is_a_failure_that_is_tried_again():
    with listening(reset) as server, pytest.raises(OutputError) as raised:
        webhook(f"http://127.0.0.1:{server.port}/hook").send(message("A"))
    assert not raised.value.permanent


def test_a_server_that_says_nothing_is_left_after_the_time_limit():
    settings = HttpSettings(clock=SystemClock(), user_agent="digestmail/0")
    with listening(silent) as server:
        url = f"http://127.0.0.1:{server.port}/hook"
        hook = Webhook(settings, url=url, secrets=(SECRET,), timeout=0.2, base_url=None)
        with pytest.raises(OutputError, match=r"did not answer in 0\.2 seconds"):
            hook.send(message("A"))


def test_a_success_counts_even_if_its_body_is_cut_off():
    cut = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    with listening(cut) as server:
        assert webhook(f"http://127.0.0.1:{server.port}/hook").send(message("A")) == "200"


def test_an_error_whose_body_is_cut_off_is_a_failure():
    cut = answering(b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf")
    with listening(cut) as server, pytest.raises(OutputError, match="cannot be reached"):
        webhook(f"http://127.0.0.1:{server.port}/hook").send(message("A"))


def test_a_payload_contains_nothing_but_what_the_page_shows(httpserver):
    """Raw texts, comments and everything else that a source said stay here."""
    receiver = Receiver()
    webhook(receiver.listen(httpserver)).send(message("A"))

    text = json.dumps(receiver.accepted)
    (paper,) = receiver.accepted[0]["data"]["sections"][0]["papers"]
    assert set(paper) == {"id", "title", "authors", "more_authors", "published_on", "links", "reasons"}
    assert "@" not in text


@pytest.mark.parametrize(
    "secret", ["", "plain", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "whsec_" + "QUFB" * 30]
)
def test_a_secret_that_the_specification_does_not_allow_is_refused_without_showing_it(secret):
    with pytest.raises(ValueError, match="webhook secret") as raised:
        secret_key(secret)
    assert not secret or secret == "whsec_" or secret not in str(raised.value)


def test_a_secret_is_read_with_and_without_padding():
    assert secret_key(SECRET) == secret_key(f"{SECRET}==="[: len(SECRET)])
    assert len(secret_key(OTHER_SECRET)) >= 24
