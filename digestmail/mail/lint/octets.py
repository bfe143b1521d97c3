"""Requirements of mail servers (RFC 5321 section 4.5.3, RFC 5322 section 2.1.1, RFC 2045 section 6.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from digestmail.mail.lint.parsed_message import ParsedMessage

LONGEST_LINE: Final = 998
_LONGEST_ENCODED_LINE: Final = 76


def line_ends(parsed: ParsedMessage) -> Iterator[str]:
    """Only CRLF line ends, and no NUL."""
    if b"\0" in parsed.raw:
        yield "a NUL character"
    if re.search(rb"(?<!\r)\n|\r(?!\n)", parsed.raw):
        yield "a bare CR or LF"


def line_lengths(parsed: ParsedMessage) -> Iterator[str]:
    """Limit the length of lines, which is shorter in a quoted-printable body."""
    longest = max(map(len, parsed.raw.split(b"\r\n")))
    if longest > LONGEST_LINE:
        yield f"a line of {longest} octets; {LONGEST_LINE} are allowed"
    body = parsed.raw.partition(b"\r\n\r\n")[2]
    if b"quoted-printable" in body and (longest := max(map(len, body.split(b"\r\n")))) > _LONGEST_ENCODED_LINE:
        yield f"a quoted-printable line of {longest} octets; {_LONGEST_ENCODED_LINE} are allowed"


def seven_bit(parsed: ParsedMessage) -> Iterator[str]:
    """Only 7-bit content, which passes through any server, with or without 8BITMIME."""
    if not parsed.raw.isascii():
        yield "octets above 127"
