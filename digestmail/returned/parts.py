"""A mail in parts, whoever wrote it: bounded in size, depth and time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from typing import Final, TypeAlias

MAX_BYTES: Final = 400_000
"""As much of a mail as is looked at: reports say what they have to say before the message they return."""
_MAX_PARTS: Final = 60
_MAX_BOUNDARIES: Final = 500
_MAX_LINES: Final = 20_000
_MAX_HEADERS: Final = 2_000
_MAX_HEADER_BYTES: Final = 100_000
_MAX_FIELD: Final = 10_000
"""The parser's work grows with the depth of the parts times the number of lines."""
_PART = re.compile(rb"^content-type\s*:", re.IGNORECASE | re.MULTILINE)
_HEADERS_END = re.compile(rb"\r?\n\r?\n")

Mail: TypeAlias = "Message[str, str]"


def parse(raw: bytes) -> Mail | None:
    """Return the mail; None if it has more parts or headers than any honest one."""
    raw = raw[:MAX_BYTES]
    if raw.startswith(b"From "):
        raw = raw.partition(b"\n")[2]
    if raw.count(b"\n") > _MAX_LINES:
        raw = b"".join(raw.splitlines(keepends=True)[:_MAX_LINES])
    found = _HEADERS_END.search(raw)
    end = found.start() if found else len(raw)
    if end > _MAX_HEADER_BYTES or raw.count(b"\n", 0, end) > _MAX_HEADERS:
        return None
    if sum(1 for _ in _PART.finditer(raw)) > _MAX_PARTS:
        return None
    if b"multipart/" in raw[:end].lower() and raw.count(b"\n--") > _MAX_BOUNDARIES:
        return None
    return message_from_bytes(raw)


def own_parts(mail: Mail) -> Iterator[Mail]:
    """Yield a mail's parts, but none of a message it returns: that may be a report itself."""
    yield mail
    if not mail.is_multipart() or mail.get_content_maintype() == "message":
        return
    for part in mail.get_payload():
        if isinstance(part, Message):
            yield from own_parts(part)


def blocks(part: Mail) -> list[Mail]:
    """Return the blocks of fields of a message/delivery-status part or the like (RFC 3464 section 2.1)."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return [block for block in payload if isinstance(block, Message)]
    return [message_from_bytes(block) for block in re.split(rb"\r?\n\r?\n", content(part)[:MAX_BYTES])]


def content(part: Mail) -> bytes:
    """Return a part's content, its transfer encoding undone as far as it can be."""
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        payload = None
    return payload if isinstance(payload, bytes) else b""


def text(part: Mail) -> str:
    """Return a part's content as text; what its charset does not know is replaced."""
    charset = part.get_content_charset("utf-8")
    try:
        return content(part).decode(charset, "replace")
    except (LookupError, ValueError):
        return content(part).decode("latin-1")


def field(mail: Mail, name: str) -> str:
    """Return a header field on one line; an empty string where it is missing."""
    return " ".join(str(mail.get(name, ""))[:_MAX_FIELD].split())


def returned_messages(mail: Mail) -> Iterator[Mail]:
    """Yield the message a report returns, whole or as headers only (RFC 6522 section 3)."""
    for part in own_parts(mail):
        kind = part.get_content_type()
        if kind == "message/rfc822":
            payload = part.get_payload()
            yield from (inner for inner in payload if isinstance(inner, Message)) if isinstance(payload, list) else ()
        elif kind in {"text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers"}:
            yield message_from_bytes(content(part))
