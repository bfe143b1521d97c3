"""The text parts of a message in the encoding that is smaller, open where a recipient's token goes. Pure.

Everything is encoded once; for each recipient only the few octets around the token are.
"""

from __future__ import annotations

import binascii
from typing import Final, Protocol

LARGEST_MESSAGE: Final = 100_000
"""Octets a message stays under, headers and signatures included. Gmail clips near 102,400 and hides the footer."""
SPLICE: Final = "\ufdd2"
"""Where the token goes: a noncharacter, which no text of others holds."""

_CUT: Final = b"\0"
"""The same in a quoted-printable body, which never holds a NUL."""
_MAX_QP_LINE: Final = 76
_SOFT_BREAK: Final = b"=\r\n"
_BASE64_LINE: Final = 57
"""Octets that make a base64 line of 76 (RFC 2045 section 6.8)."""
_USUAL_TOKEN: Final = b"x" * 50


class Part(Protocol):
    """One encoded text. `start` comes first, for every recipient; each line ends in CRLF but the last."""

    encoding: str
    """The Content-Transfer-Encoding."""
    start: bytes

    def rest(self, token: bytes) -> list[bytes]:
        """Return what follows `start` for one recipient; nothing, where the text has no place for a token."""
        ...


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
        """Return what follows `start`; a token longer than a line is cut by soft breaks."""
        folded = _soft_wrap(token)
        return [part for piece in self._pieces for part in (folded, piece)]


class Base64:
    """A text as base64 (RFC 2045 section 6.8), for texts in which most octets would need quoting."""

    encoding = "base64"

    def __init__(self, text: str) -> None:
        """Encode `text`."""
        first, *self._pieces = [piece.encode() for piece in _unix(text).replace("\n", "\r\n").split(SPLICE)]
        whole = len(first) - len(first) % 3 if self._pieces else len(first)
        self.start = _base64(first[:whole])
        self._over = first[whole:]
        self._encoded: dict[tuple[int, int], bytes] = {}
        if not self._pieces:
            self.start = self.start.removesuffix(b"\r\n")

    def rest(self, token: bytes) -> list[bytes]:
        """Return what follows `start`. Base64 goes by three octets, so how a text is encoded depends on the token."""
        if not self._pieces:
            return []
        made, over = [], self._over
        for index, piece in enumerate(self._pieces):
            over += token
            skipped = -len(over) % 3
            if len(piece) < skipped:
                over += piece
                continue
            whole = skipped + (len(piece) - skipped) // 3 * 3
            made += [_base64(over + piece[:skipped]), self._between(index, skipped, whole)]
            over = piece[whole:]
        lines = [part for part in (*made, _base64(over)) if part]
        return [*lines[:-1], *(part.removesuffix(b"\r\n") for part in lines[-1:])]

    def _between(self, index: int, start: int, end: int) -> bytes:
        if (index, start) not in self._encoded:
            self._encoded[index, start] = _base64(self._pieces[index][start:end])
        return self._encoded[index, start]


def quoted_printable(text: str) -> bytes:
    """Return `text` as a quoted-printable body (RFC 2045 section 6.7): UTF-8, CRLF, lines of at most 76 octets.

    Lines never begin with a dot or with "From ", which mail programs are known to change on the way.
    """
    body = (b"=\n" + _CUT + b"=\n").join(map(_encoded, _unix(text).split(SPLICE)))
    return b"\r\n".join(map(_escape_line_start, body.split(b"\n")))


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _base64(octets: bytes) -> bytes:
    if 0 < len(octets) <= _BASE64_LINE:  # around a token: the only part that is encoded for each recipient
        return binascii.b2a_base64(octets, newline=False) + b"\r\n"
    lines = (octets[at : at + _BASE64_LINE] for at in range(0, len(octets), _BASE64_LINE))
    return b"".join(binascii.b2a_base64(line, newline=False) + b"\r\n" for line in lines)


def _soft_wrap(token: bytes) -> bytes:
    """Return `token` cut by soft breaks where it is longer than a line."""
    width = _MAX_QP_LINE - 1
    if len(token) <= width:
        return token
    return _SOFT_BREAK.join(token[start : start + width] for start in range(0, len(token), width))


def _encoded(text: str) -> bytes:
    # The last character keeps room for the "=" of a soft break behind the text, and is taken off again.
    return binascii.b2a_qp(text.encode() + b"|").removesuffix(b"|")


def _escape_line_start(line: bytes) -> bytes:
    if not line.startswith((b".", b"From ")):
        return _cut_to_width(line)
    first = b"=%02X" % line[0]
    if len(first) + len(line) - 1 <= _MAX_QP_LINE:
        return first + line[1:]
    return first + _SOFT_BREAK + _escape_line_start(line[1:])


def _cut_to_width(line: bytes) -> bytes:
    # b2a_qp counts white space at the end of a line as one octet, though it writes three.
    return line if len(line) <= _MAX_QP_LINE else line[:-3] + _SOFT_BREAK + line[-3:]
