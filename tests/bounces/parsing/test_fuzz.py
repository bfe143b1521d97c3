"""Hostile reports: nothing crashes the reader, nothing keeps it busy."""

from __future__ import annotations

import time

import pytest
from bounce_messages import arf, block, dsn, original, return_path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digestmail.bounces.parsing.parse import read
from digestmail.bounces.parsing.report import InboundReport, Kind

SECONDS = 3.0
"""Generous for a shared machine; the usual report takes a millisecond."""

GOOD = [dsn(block(said="550 5.1.1 unknown"), to=return_path(), returned=original()), arf()]
LINES = sorted({line + b"\n" for raw in GOOD for line in raw.splitlines()})
ODD = st.sampled_from(
    [
        b"\0",
        b"\xff",
        b"--b\n",
        b"--b--\n",
        b"\r",
        b";",
        b"=?utf-8?q?=00?=",
        b"5.1.1",
        b"\n\n",
        b"Content-Type: message/rfc822\n",
    ]
)


def read_in_time(raw: bytes) -> InboundReport:
    began = time.perf_counter()
    returned = read(raw)
    assert time.perf_counter() - began < SECONDS
    return returned


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2000))
def test_any_octets_are_read(raw):
    assert isinstance(read_in_time(raw).kind, Kind)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_report_that_was_damaged_is_read(data):
    raw = bytearray(data.draw(st.sampled_from(GOOD)))
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 80)))
        raw[start:end] = data.draw(st.one_of(ODD, st.binary(max_size=30)))
    read_in_time(bytes(raw))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=60))
def test_a_report_put_together_wrongly_is_read(lines):
    read_in_time(b"".join(lines))


HEAD = b"From: MAILER-DAEMON@mx.example\nTo: bounce@example.org\n"
MANY = 200_000
BOMBS = {
    "parts in parts": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(9000)),
    "parts in parts, and lines": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(58)
    )
    + b"\n" * MANY,
    "mails in mails, and lines": b"Content-Type: message/rfc822\n\n" * 58 + b"x\n" * MANY,
    "mails in mails": b"Content-Type: message/rfc822\n\n" * 9000,
    "a digest in a digest": b"Content-Type: multipart/digest; boundary=b\n\n" + b"--b\n\n" * MANY,
    "boundaries": b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\n" * MANY,
    "headers": b"X: y\n" * MANY,
    "a header": b"X:" + b" y" * MANY,
    "folds": b"Subject: x" + b"\n x" * MANY,
    "recipients": b"To: " + b"a@b.example, " * MANY,
    "blocks": dsn(*[block() + "\n"] * 5000),
    "fields in a block": dsn("Final-Recipient: rfc822; a@b.example\n" * 20_000),
    "a long diagnostic": dsn(block(said="user " * 100_000)),
    "digits": dsn(block(said="5.1" * 100_000)),
    "dots": dsn(block(said="." * 100_000, status="5." * 50_000)),
    "addresses": HEAD + b"\n" + b"550 5.1.1 <a@b.example>\n" * MANY,
    "at signs": HEAD + b"\n" + b"@" * MANY,
    "one long word": HEAD + b"\n" + b"a" * MANY + b" 550 ",
    "blanks": HEAD + b"\n550 user" + b" " * MANY + b"x",
    "dashes": HEAD + b"\n" + b"-" * MANY,
    "encoded words": b"Subject: " + b"=?utf-8?b?YQ==?= " * 50_000,
    "quotes": b"From: " + b'"\\' * MANY,
    "comments": b"From: " + b"(" * MANY,
    "quoted-printable": HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=\n" * MANY,
    "base64": HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"=A" * MANY,
    "uuencode": HEAD + b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n" + b"M\n" * MANY,
    "an odd charset": HEAD + b"Content-Type: text/plain; charset=zlib\n\n550 <a@b.example>",
    "parameters": b"Content-Type: text/plain" + b"; a=b" * MANY + b"\n\n",
    "failed recipients": b"X-Failed-Recipients: " + b"a@b.example," * 30_000 + HEAD + b"\n550",
    "tokens": HEAD + b"\n" + b"+" + b"a" * 31 + b"\n+" * MANY,
    "links": HEAD + b"\n" + b"/unsubscribe/" + b"a" * MANY,
}


@pytest.mark.parametrize("name", BOMBS)
def test_nothing_keeps_the_reader_busy(name):
    read_in_time(BOMBS[name])
