"""`MessageTemplate`: the message of one segment, completed for one recipient after another. Pure.

Headers and bodies are serialized once per segment. For each recipient only the few pieces that differ are filled in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from typing import Final

from w3lib.url import safe_url_string

from digestmail.mail.dkim import SegmentSigner, Signer, field_names, relaxed
from digestmail.mail.encoding import MARKER, Joined, Part, smaller
from digestmail.mail.message_headers import (
    BOUNDARY,
    MAILTO_TOKEN_SLOT,
    TOKEN_SLOT,
    Sender,
    body_links,
    date_header,
    shared_headers,
    subject_header,
    unsubscribe_headers,
)
from digestmail.mail.placeholders import (
    feedback_placeholder,
    preferences_placeholder,
    single_line,
    unsubscribe_placeholder,
)
from digestmail.model.deliveries import Rendered
from digestmail.text.addresses import to_wire_address, wire_domain

_END: Final = f"\r\n--{BOUNDARY}--\r\n".encode()
EMPTY_LINE: Final = b"\r\n"
_ANY_SLOT = re.compile(b"([%b%b])" % (TOKEN_SLOT, MAILTO_TOKEN_SLOT))
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")
_SAFE_TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,300}")

_SHORT_ADDRESS: Final = "a@example.org"
_LONGEST_ADDRESS: Final = 320
"""64 octets before the @ and 255 after it (RFC 5321 section 4.5.3.1)."""
_LONGEST_TOKEN: Final = 60
_LONGEST_LABELS: Final = 120
"""The octets of a Message-ID's left side besides the digest's name, which base64 lengthens."""
_ANY_DATE: Final = datetime(2000, 1, 1, tzinfo=UTC)


class MessageTemplate:
    """The message of one segment, or a notice, serialized except for what differs between recipients."""

    def __init__(
        self,
        rendered: Rendered,
        sender: Sender,
        *,
        digest: str,
        title: str,
        notice: bool = False,
        smtputf8: bool = True,
        signers: Sequence[Signer] = (),
    ) -> None:
        """Serialize what recipients share, which takes a few milliseconds.

        `digest` is the digest's name, a DNS label. A `notice` responds to an action of one person: it belongs to no
        list, so it has no List-* headers. `smtputf8` allows recipients with a non-ASCII local part (a transport still
        refuses them if the server does not support them). Each of `signers` adds a DKIM signature. Raises ValueError
        if the sender or reply address is not a mailbox, or if `base_url` is too long for a header.
        """
        self._longest_token = _LONGEST_TOKEN + 2 * len(digest)
        self._smtputf8, self._digest, self._domain = smtputf8, digest, wire_domain(sender.domain)
        if sender.base_url is not None:
            sender = replace(sender, base_url=safe_url_string(sender.base_url))
        self.sender = sender
        self._before, self._after = shared_headers(single_line(title), digest, sender, notice=notice)
        self._unsubscribe = [b""] if notice else unsubscribe_headers(sender)
        self._relaxed_unsubscribe = _ANY_SLOT.split(relaxed(b"".join(self._unsubscribe)))
        self._signers = tuple(signers)
        self._set(subject_header(rendered.subject), *_encoded_bodies(rendered, sender))
        self._own_start = self._unhashed = b""
        self._signer = self._segment_signer(self._headers, self._start) if signers else None

    def _set(self, subject: bytes, text: Part, html: Part) -> None:
        self._headers = b"".join((self._before, subject, self._after))
        self._text, self._html = text, html
        self._start = _part_header("plain", text) + text.start
        self._middle = _part_header("html", html) + html.start
        self._has_links = _has_token(text) or _has_token(html)

    def _segment_signer(self, shared: bytes, body_start: bytes) -> SegmentSigner:
        """Hash what recipients share, and prepare the canonical form of the headers that differ."""
        names = field_names(self._headers.removeprefix(shared) + b"To:\r\nDate:\r\nMessage-ID:\r\n")
        return SegmentSigner(
            self._signers,
            shared=shared,
            own_names=[*names, *field_names(b"".join(self._unsubscribe))],
            body_start=body_start.removeprefix(EMPTY_LINE),
        )

    def same_as(self, other: MessageTemplate) -> bool:
        """Return whether both have the same content for each recipient, besides signatures."""
        return self._unsigned() == other._unsigned()

    def _unsigned(self) -> bytes:
        token = b"x" * self._longest_token
        return b"".join((self._headers, self._start, *self._text.rest(token), self._middle, *self._html.rest(token)))

    def personalize(
        self,
        *,
        recipient: str,
        message_id: str,
        date: datetime,
        unsubscribe_token: str | None = None,
        mailto_token: str | None = None,
    ) -> bytes:
        """Return the message for one recipient: CRLF line ends, 7-bit unless the local part is not ASCII.

        No line starts with a dot and the last line is complete, so no dot-stuffing is needed.

        `message_id` is in angle brackets, `date` is aware, tokens consist of letters, digits, `-`, `_` and `.`; other
        values raise ValueError. A notice needs no tokens; only a sender with a bounce address needs `mailto_token`.
        Raises DeliveryError (permanent) if `recipient` is not a valid address.
        """
        if not _MESSAGE_ID.fullmatch(message_id):
            raise ValueError(f"not a Message-ID: {message_id!r}")
        tokens = {
            TOKEN_SLOT: self._checked(TOKEN_SLOT, unsubscribe_token),
            MAILTO_TOKEN_SLOT: self._checked(MAILTO_TOKEN_SLOT, mailto_token),
        }
        if date.tzinfo is None:
            raise ValueError("naive datetime")
        to = to_wire_address(recipient, smtputf8=self._smtputf8)
        token, day = tokens[TOKEN_SLOT], date_header(date)
        own = f"To: {to}\r\nDate: {day}\r\nMessage-ID: {message_id}\r\n".encode()
        own += _filled(self._unsubscribe, tokens)
        rest = [*self._text.rest(token), self._middle, *self._html.rest(token), _END]
        signatures = b""
        if self._signer is not None:
            canonical = self._own_start + f"to:{to}\r\ndate:{day}\r\nmessage-id:{message_id}\r\n".encode()
            canonical += _filled(self._relaxed_unsubscribe, tokens)
            signatures = self._signer.sign(canonical, b"".join((self._unhashed, *rest)), date)
        return b"".join((signatures, own, self._headers, self._start, *rest))

    def max_octets(self) -> int:
        """Return the size of the largest message, signatures included, for addresses of up to 320 octets."""
        longest = self.personalize(
            recipient=_SHORT_ADDRESS,
            message_id=f"<{'x' * (_LONGEST_LABELS + len(self._digest))}@{self._domain}>",
            date=_ANY_DATE,
            unsubscribe_token="x" * self._longest_token,
            mailto_token="x" * _LONGEST_TOKEN,
        )
        return len(longest) + _LONGEST_ADDRESS - len(_SHORT_ADDRESS)

    def _checked(self, slot: bytes, token: str | None) -> bytes:
        """Return a token as octets, empty if it is not used. Raises ValueError if it is missing or unsafe."""
        if token is None and slot not in self._unsubscribe and not (slot == TOKEN_SLOT and self._has_links):
            return b""
        if token is None or not _SAFE_TOKEN.fullmatch(token):
            raise ValueError("the token is missing or has characters that are not allowed in a link")
        return token.encode()


def _has_token(part: Part) -> bool:
    return part.tokens > 0 if isinstance(part, Joined) else bool(part.rest(b"x"))


def _filled(pieces: Sequence[bytes], tokens: dict[bytes, bytes]) -> bytes:
    return b"".join([tokens.get(piece, piece) for piece in pieces])


def _encoded_bodies(rendered: Rendered, sender: Sender) -> tuple[Part, Part]:
    """Return the text and the HTML body. Text comes first, because clients prefer the last part (RFC 2046, 5.1.4).

    This is the last transformation before encoding: nothing rewrites the links or the marker of the token afterwards.
    """
    text = with_links(rendered.text, rendered.nonce, sender, html=False)
    return smaller(text), smaller(with_links(rendered.html, rendered.nonce, sender, html=True))


def with_links(content: str, nonce: str, sender: Sender, *, html: bool) -> str:
    """Return `content` with the personal links instead of their placeholders, each with `MARKER` for the token."""
    content = content.replace(MARKER, "")
    if nonce:
        kinds = (unsubscribe_placeholder, preferences_placeholder, feedback_placeholder)
        for kind, link in zip(kinds, body_links(sender), strict=True):
            content = content.replace(kind(nonce), escape(link) if html else link)
    return content


def _part_header(kind: str, part: Part) -> bytes:
    """Return the boundary and the headers before a part's body."""
    return (
        f"\r\n--{BOUNDARY}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {part.encoding}\r\n\r\n"
    ).encode()
