"""A message, parsed once for all rules."""

from __future__ import annotations

import binascii
import quopri
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from digestmail.mail.lint.html import HtmlPart, read_page


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """A parsed message. Texts are decoded, with LF, and empty if there is no such part."""

    raw: bytes
    message: EmailMessage
    text: str
    html: str
    page: HtmlPart

    def header(self, name: str) -> str:
        """Return the unfolded value of a header; empty if it is missing."""
        return str(self.message.get(name, ""))


def parse_message(raw: bytes) -> ParsedMessage:
    """Parse `raw`, a message with CRLF line ends (RFC 5322). Never fails: missing parts are empty."""
    message = message_from_bytes(raw, policy=policy.default)
    html = _part(message, "text/html")
    decoded = _decoded(html)
    return ParsedMessage(
        raw=raw,
        message=message,
        text=_decoded(_part(message, "text/plain")),
        html=decoded,
        page=read_page(decoded),
    )


def _part(message: EmailMessage, kind: str) -> EmailMessage | None:
    return next((part for part in message.walk() if part.get_content_type() == kind), None)


def _encoded(part: EmailMessage | None) -> bytes:
    """Return the raw body of a part."""
    if part is None:
        return b""
    payload = cast("Any", part.get_payload(decode=False))
    return payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b""


def _decoded(part: EmailMessage | None) -> str:
    if part is None:
        return ""
    body = _encoded(part)
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding == "quoted-printable":
        body = quopri.decodestring(body)
    elif encoding == "base64":
        try:
            body = binascii.a2b_base64(body)
        except binascii.Error:
            return ""
    return body.decode("utf-8", "replace").replace("\r\n", "\n")
