"""Encodes the bodies of a message, in the smaller encoding, with gaps for a recipient's token. Pure.

A body is encoded once. For each recipient only the few octets around the token are encoded.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

LARGEST_MESSAGE: Final = 100_000
"""The size limit in octets, headers and signatures included. Gmail clips messages near 102,400 and hides the footer."""
MARKER: Final = "\ufdd2"
"""Marks the place of the token. It is a noncharacter, which `single_line` removes from all other text."""

_CUT: Final = b"\0"
"""The marker in a quoted-printable body, which never contains NUL."""
_MAX_QP_LINE: Final = 76
_SOFT_BREAK: Final = b"=\r\n"
_BASE64_LINE: Final = 57
"""The octets in a base64 line of 76 characters (RFC 2045 section 6.8)."""
_USUAL_TOKEN: Final = b"x" * 50


class Part(Protocol):
    """One encoded body. `start` is the same for all recipients. Every line but the last ends in CRLF."""

    encoding: str
    """The Content-Transfer-Encoding."""
    start: bytes

    def rest(self, token: bytes) -> list[bytes]:
        """Return the pieces after `start` for one recipient; none if the text has no token."""
        ...


class Lines(NamedTuple):
    """Complete lines in quoted-printable, to be joined with others. A NUL is the place of the token.

    Quoted-printable encodes each line alone, so joined lines are what the joined text would be encoded as.
    """

    octets: bytes
    spare: int
    """Four times the octets before encoding, less three times those after it, without tokens.

    Base64 takes four octets for three, so it is never shorter than lines with a sum of at least 0."""


def encode_lines(text: str) -> Lines:
    """Encode `text`, which is empty or ends with a line end. `MARKER` is the place of the token."""
    text = _unix(text)
    encoded = quoted_printable(text)
    raw = len(text.replace(MARKER, "").encode()) + text.count("\n")
    return Lines(encoded, 4 * raw - 3 * len(encoded.replace(_CUT, b"")))


class Joined:
    """A body of lines that were encoded before, in quoted-printable."""

    encoding = "quoted-printable"

    def __init__(self, lines: Sequence[bytes], spare: int) -> None:
        """Join the octets of `Lines`. `spare` is the sum of theirs."""
        self._pieces = b"".join(lines).split(_CUT)
        self._spare = spare
        self.tokens = len(self._pieces) - 1
        self.start = b"" if self.tokens else self._pieces[0]

    def rest(self, token: bytes) -> list[bytes]:
        """Return the body for one recipient, if it has tokens."""
        return [_soft_wrap(token).join(self._pieces)] if self.tokens else []

    def octets(self, token: bytes) -> int:
        """Return the size of the body with `token`."""
        return sum(map(len, self._pieces)) + self.tokens * len(_soft_wrap(token))

    def smaller(self) -> Part:
        """Return this body, or the same text as base64 if that takes fewer octets."""
        if self._spare + self.tokens * len(_USUAL_TOKEN) >= 0:
            return self
        body = binascii.a2b_qp(_CUT.join(self._pieces)).replace(_CUT, MARKER.encode()).decode()
        return smaller(body.replace("\r\n", "\n"))


def smaller(text: str) -> Part:
    """Return `text` encoded as quoted-printable or base64, whichever takes fewer octets."""
    parts: tuple[Part, Part] = (QuotedPrintable(text), Base64(text))
    return min(parts, key=lambda part: len(part.start) + sum(map(len, part.rest(_USUAL_TOKEN))))


class QuotedPrintable:
    """A text as quoted-printable (RFC 2045 section 6.7)."""

    encoding = "quoted-printable"

    def __init__(self, text: str) -> None:
        """Encode `text`."""
        self.start, *self._pieces = quoted_printable(text).split(_CUT)

    def rest(self, token: bytes) -> list[bytes]:
        """Return the pieces after `start`. Soft line breaks divide a token that is longer than a line."""
        folded = _soft_wrap(token)
        return [part for piece in self._pieces for part in (folded, piece)]


class Base64:
    """A text as base64 (RFC 2045 section 6.8), which is smaller for text that is mostly not ASCII."""

    encoding = "base64"

    def __init__(self, text: str) -> None:
        """Encode `text`."""
        first, *self._pieces = [piece.encode() for piece in _unix(text).replace("\n", "\r\n").split(MARKER)]
        end = len(first) - len(first) % 3 if self._pieces else len(first)
        self.start = _base64(first[:end])
        self._remainder = first[end:]
        self._encoded: dict[tuple[int, int], bytes] = {}
        if not self._pieces:
            self.start = self.start.removesuffix(b"\r\n")

    def rest(self, token: bytes) -> list[bytes]:
        """Return the pieces after `start`. Base64 encodes groups of three octets, so they depend on the token."""
        if not self._pieces:
            return []
        encoded, remainder = [], self._remainder
        for index, piece in enumerate(self._pieces):
            remainder += token
            start = -len(remainder) % 3
            if len(piece) < start:
                remainder += piece
                continue
            end = start + (len(piece) - start) // 3 * 3
            encoded += [_base64(remainder + piece[:start]), self._between(index, start, end)]
            remainder = piece[end:]
        lines = [part for part in (*encoded, _base64(remainder)) if part]
        return [*lines[:-1], *(part.removesuffix(b"\r\n") for part in lines[-1:])]

    def _between(self, index: int, start: int, end: int) -> bytes:
        if (index, start) not in self._encoded:
            self._encoded[index, start] = _base64(self._pieces[index][start:end])
        return self._encoded[index, start]


def quoted_printable(text: str) -> bytes:
    """Return `text` as a quoted-printable body (RFC 2045 section 6.7): UTF-8, CRLF, lines of at most 76 octets.

    No line starts with a dot or with "From ", because some mail programs change such lines.
    """
    body = (b"=\n" + _CUT + b"=\n").join(map(_encoded, _unix(text).split(MARKER)))
    return b"\r\n".join(map(_escape_line_start, body.split(b"\n")))


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _base64(octets: bytes) -> bytes:
    if 0 < len(octets) <= _BASE64_LINE:  # around a token: this is encoded for each recipient
        return binascii.b2a_base64(octets, newline=False) + b"\r\n"
    lines = (octets[at : at + _BASE64_LINE] for at in range(0, len(octets), _BASE64_LINE))
    return b"".join(binascii.b2a_base64(line, newline=False) + b"\r\n" for line in lines)


@lru_cache(maxsize=4)  # a token occurs in both parts of a message
def _soft_wrap(token: bytes) -> bytes:
    """Return `token`, with soft line breaks if it is longer than a line."""
    width = _MAX_QP_LINE - 1
    if len(token) <= width:
        return token
    return _SOFT_BREAK.join(token[start : start + width] for start in range(0, len(token), width))


def _encoded(text: str) -> bytes:
    # The extra character reserves space for the "=" of a soft line break.
    return binascii.b2a_qp(text.encode() + b"|").removesuffix(b"|")


def _escape_line_start(line: bytes) -> bytes:
    if not line.startswith((b".", b"From ")):
        return _wrap_trailing_space(line)
    first = b"=%02X" % line[0]
    if len(first) + len(line) - 1 <= _MAX_QP_LINE:
        return first + line[1:]
    return first + _SOFT_BREAK + _escape_line_start(line[1:])


def _wrap_trailing_space(line: bytes) -> bytes:
    # b2a_qp counts white space at the end of a line as one octet, but writes three.
    return line if len(line) <= _MAX_QP_LINE else line[:-3] + _SOFT_BREAK + line[-3:]
