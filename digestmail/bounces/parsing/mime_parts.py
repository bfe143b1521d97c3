"""Parses untrusted messages, with limits on size, depth and time.

Every limit is checked before the parser sees the message, and on the same lines that the parser sees: it ends a line at
CRLF, LF and at a bare CR.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from html import unescape
from typing import Final, TypeAlias

MAX_BYTES: Final = 400_000
"""The part of a message that is parsed. Reports put their content before the returned message."""
_MAX_PARTS: Final = 60
_MAX_BLOCKS: Final = 1_000
_MAX_BOUNDARIES: Final = 500
_MAX_LINES: Final = 20_000
_MAX_HEADERS: Final = 2_000
_MAX_HEADER_BYTES: Final = 100_000
_MAX_FIELD: Final = 10_000
_MAX_CONTENT_TYPE: Final = 4_000
"""The limits bound the parser's time, which grows with the depth of the parts times the number of lines, and with the
square of the length of a Content-Type field."""
_LINE_END = re.compile(rb"\r\n?")
_PART = re.compile(rb"^content-type[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)
"""A Content-Type field with its folded lines (RFC 5322 section 2.2.3)."""
_POSTMARKS = re.compile(rb"\A(?:>?From [^\n]*(?:\n|\Z))+")
"""The From line of an mbox (RFC 4155), and the one that procmail keeps from an earlier mbox."""
_GLOBAL = re.compile(
    rb"^(content-type\s*:\s*message/)global(-delivery-status|-headers)?(?=[\s;])", re.IGNORECASE | re.MULTILINE
)
"""The types of RFC 6533 and RFC 6532, which the parser does not know. Their format is that of the ASCII types."""
_ASCII = {b"-delivery-status": b"delivery-status", b"-headers": b"rfc822", b"": b"rfc822"}
_TAG = re.compile(r"<[a-z!/][^<>@]{0,500}>", re.IGNORECASE)

Mail: TypeAlias = "Message[str, str]"


class LimitError(ValueError):
    """A message exceeds a limit of this module. The text says which."""


def normalize_lines(raw: bytes) -> bytes:
    """Return `raw` with LF at the end of each line instead of CRLF or a bare CR."""
    return _LINE_END.sub(b"\n", raw)


def parse(raw: bytes) -> Mail:
    """Parse the first `MAX_BYTES` octets of a message. Raises LimitError if it has too many parts or headers."""
    raw = _POSTMARKS.sub(b"", normalize_lines(raw[:MAX_BYTES]))
    if raw.count(b"\n") > _MAX_LINES:
        raw = b"\n".join(raw.split(b"\n", _MAX_LINES)[:_MAX_LINES])
    end = raw.find(b"\n\n")
    end = len(raw) if end < 0 else end
    if end > _MAX_HEADER_BYTES or raw.count(b"\n", 0, end) > _MAX_HEADERS:
        raise LimitError("its header is too long")
    fields = [len(found[0]) for found in _PART.finditer(raw)]
    if len(fields) > _MAX_PARTS:
        raise LimitError("it has too many parts")
    if max(fields, default=0) > _MAX_CONTENT_TYPE:
        raise LimitError("a Content-Type field is too long")
    if b"multipart/" in raw[:end].lower() and raw.count(b"\n--") > _MAX_BOUNDARIES:
        raise LimitError("it has too many boundaries")
    return message_from_bytes(_GLOBAL.sub(lambda found: found[1] + _ASCII[(found[2] or b"").lower()], raw))


def _parse_fields(block: bytes) -> Mail:
    """Parse header fields. What follows them stays text, so that a decoded part cannot contain further parts."""
    return BytesHeaderParser().parsebytes(normalize_lines(block[:MAX_BYTES]))


def own_parts(mail: Mail) -> Iterator[Mail]:
    """Yield the parts of a message, but not those of a message it returns, which may be a report too."""
    yield mail
    if not mail.is_multipart() or mail.get_content_maintype() == "message":
        return
    for part in mail.get_payload():
        if isinstance(part, Message):
            yield from own_parts(part)


def blocks(part: Mail) -> list[Mail]:
    """Return the groups of fields of a part such as message/delivery-status (RFC 3464 section 2.1)."""
    payload = part.get_payload()
    if isinstance(payload, list):
        found = [block for block in payload if isinstance(block, Message)]
        encoding = field(part, "Content-Transfer-Encoding").lower()
        return _decoded(found, encoding) if encoding in {"base64", "quoted-printable"} else found
    return _parse_blocks(content(part))


def _parse_blocks(text: bytes) -> list[Mail]:
    return [_parse_fields(block) for block in normalize_lines(text[:MAX_BYTES]).split(b"\n\n", _MAX_BLOCKS)]


def _decoded(found: list[Mail], encoding: str) -> list[Mail]:
    """Return the groups of fields of an encoded part. The parser does not decode such a part."""
    coded = b"\n\n".join(_source(block) for block in found)
    with suppress(ValueError):
        plain = binascii.a2b_qp(coded) if encoding == "quoted-printable" else binascii.a2b_base64(coded)
        return _parse_blocks(plain)
    return []


def _source(block: Mail) -> bytes:
    lines = [f"{name}:{value}" for name, value in block.raw_items()]
    return "\n".join([*lines, str(block.get_payload())]).strip().encode("utf-8", "surrogateescape")


def content(part: Mail) -> bytes:
    """Return the decoded content of a part, or nothing if it cannot be decoded."""
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        payload = None
    return payload if isinstance(payload, bytes) else b""


def text(part: Mail) -> str:
    """Return the content of a part as text. Invalid characters are replaced."""
    charset = part.get_content_charset("utf-8")
    try:
        decoded = content(part).decode(charset, "replace")
    except (LookupError, ValueError):
        decoded = content(part).decode("latin-1")
    decoded = decoded.replace("\r\n", "\n").replace("\r", "\n")
    return unescape(_TAG.sub(" ", decoded)) if part.get_content_subtype() == "html" else decoded


def field(mail: Mail, name: str) -> str:
    """Return a header field as one line, or an empty string. Its octets are read as UTF-8 (RFC 6532)."""
    wanted = name.lower()
    found = next((str(value) for key, value in mail.raw_items() if key.lower() == wanted), "")
    return " ".join(found[:_MAX_FIELD].encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())


def returned_messages(mail: Mail) -> Iterator[Mail]:
    """Yield the message that a report returns, complete or headers only (RFC 6522 section 3)."""
    for part in own_parts(mail):
        kind = part.get_content_type()
        if kind == "message/rfc822":
            payload = part.get_payload()
            yield from (inner for inner in payload if isinstance(inner, Message)) if isinstance(payload, list) else ()
        elif kind in {"text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers"}:
            yield _parse_fields(content(part))
