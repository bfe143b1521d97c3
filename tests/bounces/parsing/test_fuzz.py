"""Hostile reports: nothing crashes the reader, nothing keeps it busy."""

from __future__ import annotations

import base64
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


ENDS = (b"\n", b"\r\n", b"\r")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("raw", GOOD)
def test_a_report_means_the_same_with_any_line_ends(raw, end):
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    as_usual, returned = read(b"\n".join(lines)), read(end.join(lines))
    assert (returned.kind, returned.failures, returned.proof) == (as_usual.kind, as_usual.failures, as_usual.proof)


PIECES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/report; boundary=c",
        b"Content-Type: message/delivery-status",
        b"Content-Type: message/rfc822",
        b"Content-Type: message/global-headers",
        b"Content-Type: text/rfc822-headers",
        b"Content-Transfer-Encoding: base64",
        b"Q29udGVudC1UeXBlOiBtdWx0aXBhcnQvbWl4ZWQ7IGJvdW5kYXJ5PWI=",
        b"--b",
        b"--c",
        b"--c--",
        b"",
        b"Final-Recipient: rfc822; reader@example.net",
        b"Action: failed",
        b" folded",
    ]
)
LINES_WITH_ENDS = st.lists(st.tuples(PIECES, st.sampled_from(ENDS)), max_size=200)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LINES_WITH_ENDS)
def test_parts_in_parts_with_any_line_ends_are_read(pieces):
    returned = read_in_time(b"".join(piece + end for piece, end in pieces)[:8_000])
    assert returned.kind is not Kind.UNREADABLE or returned.detail.startswith(("it has too many", "its header"))


def nested(depth: int, end: bytes) -> bytes:
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d" % n + end * 2 + b"--b%d" % n + end for n in range(depth)
    )


@pytest.mark.parametrize("end", ENDS)
def test_the_depth_is_limited_with_any_line_ends(end):
    assert read(nested(60, end)).kind is Kind.OTHER
    assert read(nested(61, end)).detail == "it has too many parts"


def test_a_content_type_field_has_a_limited_length_even_if_it_is_folded():
    assert read(b"Content-Type: text/plain" + b";\n a=b" * 600 + b"\n\nx").kind is Kind.OTHER
    assert read(b"Content-Type: text/plain" + b";\n a=b" * 700 + b"\n\nx").detail == "a Content-Type field is too long"


def test_a_decoded_part_contains_no_further_parts():
    inner = base64.encodebytes(nested(61, b"\n"))
    outer = b"Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: base64\n\n" + inner
    assert read(outer).kind is Kind.OTHER


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
    "recipients and lines": dsn(*[block(recipient=f"a{n}@b.example") for n in range(200)]).replace(
        b"I could not deliver it.\n", b"".join(b"a%d@b.example\n" % n for n in range(200)) + b"x\n" * 8000
    ),
    "twenty megabytes": HEAD + b"\n" + b"550 5.1.1 <a@b.example> x\r" * 750_000,
    "links": HEAD + b"\n" + b"/unsubscribe/" + b"a" * MANY,
}


@pytest.mark.parametrize("name", BOMBS)
def test_nothing_keeps_the_reader_busy(name):
    read_in_time(BOMBS[name])


@pytest.mark.parametrize("octets", [b"\0", b"\x1b[2J", b"\x1b]0;title\x07", "\u202e".encode(), b"\x9b"])
def test_no_text_of_a_report_controls_a_terminal(octets):
    report = read(dsn(block(said="550 5.1.1 unknown@here").replace("@", octets.decode("latin-1")), returned=original()))
    notice = read(b"From: MAILER-DAEMON@mx.example\n\n<reader@example.net>: 550 5.1.1 User " + octets + b" unknown\n")
    for found in (report, notice, read(b"Auto-Submitted: auto-replied\nSubject: Out " + octets + b" of office\n\nx")):
        assert found.detail
        assert found.detail.isprintable()
        assert all(failure.text.isprintable() for failure in found.failures)
