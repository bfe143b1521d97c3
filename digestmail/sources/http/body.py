"""Bodies of answers: taken in and unpacked piece by piece, so that no server decides how much memory they cost."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import chain

from digestmail.errors import SourceUnreadableError

ACCEPTED_CODINGS = "gzip, deflate"
"""The value of Accept-Encoding (RFC 9110 section 12.5.3): what `read_body` can undo."""

# RFC 1952 section 2.3.1: the only method there is.
_GZIP = b"\x1f\x8b\x08"
_DOCUMENT_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<[?!A-Za-z]|[\[{]\s*[\[{\"\]}])")
_LOOKED_AT = 64
_PIECE = 64 * 1024
# A gzip file may be several, end to end (RFC 1952 section 2.2). Real ones are a few; each costs a fresh inflater.
_MOST_MEMBERS = 100


def read_body(chunks: Iterable[bytes], *, coding: str, limit: int) -> bytes:
    """Join `chunks` and undo the Content-Encoding `coding`: gzip, deflate, or nothing.

    What the bytes say counts: a gzip file is unpacked though nobody announced it, as static hosts serve `feed.xml.gz`,
    and what is announced as packed but begins like a document is one.

    Never more than `limit` bytes are read, nor made of them. Raises SourceUnreadableError when that is not enough,
    when the coding is another one, or when the packed bytes are damaged or cut off.
    """
    start, rest = _peeked(iter(chunks))
    coding = _real_coding(coding.strip().lower().removeprefix("x-"), start)
    if coding == "deflate" and _DOCUMENT_START.match(start):
        return _deflated_or_not(_joined(rest, limit), limit)
    body = _undone(rest, coding, limit)
    # A file that was packed, and packed again on its way.
    return _undone([body], "gzip", limit) if body.startswith(_GZIP) else body


def _peeked(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return how the bytes begin, and all of them."""
    first: list[bytes] = []
    length = 0
    for chunk in chunks:
        first.append(chunk)
        length += len(chunk)
        if length >= _LOOKED_AT:
            break
    return b"".join(first)[:_LOOKED_AT], chain(first, chunks)


def _real_coding(coding: str, start: bytes) -> str:
    if coding in {"", "identity"}:
        return "gzip" if start.startswith(_GZIP) else ""
    if coding != "deflate" and _DOCUMENT_START.match(start):
        return ""  # it is not packed, whatever the header says
    if coding not in {"gzip", "deflate"}:
        raise SourceUnreadableError(
            f"the body is packed as {coding[:60]!r}, although digestmail asked for {ACCEPTED_CODINGS} only"
        )
    return coding


def _deflated_or_not(body: bytes, limit: int) -> bytes:
    """Return what is packed in `body`, or else the body: without a wrapper packed bytes can look like any others."""
    try:
        return _undone([body], "deflate", limit)
    except SourceUnreadableError:
        return body


def _undone(chunks: Iterable[bytes], coding: str, limit: int) -> bytes:
    if not coding:
        return _joined(chunks, limit)
    try:
        return _joined(_inflated(_capped(chunks, limit), coding), limit)
    except zlib.error as error:
        raise SourceUnreadableError(f"the packed body is damaged: {error}") from error


def _joined(pieces: Iterable[bytes], limit: int) -> bytes:
    # BytesIO hands its buffer out without a copy, so the body lies in memory once.
    body = BytesIO()
    for piece in _capped(pieces, limit):
        body.write(piece)
    return body.getvalue()


def _capped(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    taken = 0
    for piece in pieces:
        taken += len(piece)
        if taken > limit:
            raise SourceUnreadableError(f"the body is larger than {limit} bytes")
        yield piece


def _inflated(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Unpack `chunks`, never more than a piece at a time. What follows the end of the packed data is ignored."""
    inflater = None
    members = 0
    for chunk in chunks:
        rest = chunk
        while rest:
            if inflater is None or inflater.eof:
                if not _begins_member(rest, coding, members):
                    return
                inflater = zlib.decompressobj(_window(coding, rest))
                members += 1
            yield from _drained(inflater, rest)
            rest = inflater.unused_data
    if inflater is not None and not inflater.eof:
        raise SourceUnreadableError("the packed body is cut off")


def _drained(inflater: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    piece = inflater.decompress(packed, _PIECE)
    yield piece
    # A full piece may have left output inside zlib, even when all input is taken.
    while inflater.unconsumed_tail or (len(piece) == _PIECE and not inflater.eof):
        piece = inflater.decompress(inflater.unconsumed_tail, _PIECE)
        yield piece


def _begins_member(rest: bytes, coding: str, members: int) -> bool:
    if members == 0:
        return True
    if coding != "gzip" or not rest.startswith(b"\x1f"):
        return False
    if members == _MOST_MEMBERS:
        raise SourceUnreadableError(f"the packed body is in more than {_MOST_MEMBERS} parts")
    return True


def _window(coding: str, start: bytes) -> int:
    """Return zlib's window bits, which also say what wrapper to expect.

    "deflate" means the zlib format (RFC 9110 section 8.4.1.2), but some servers send the bare stream. The low half of
    a zlib header's first byte is 8 (RFC 1950 section 2.2).
    """
    if coding == "gzip":
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if start[0] & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS
