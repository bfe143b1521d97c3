"""The headers of a message: those that all recipients share, and the unsubscribe headers with tokens. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from digestmail.errors import DeliveryError
from digestmail.mail.encoding import MARKER
from digestmail.mail.header_fields import named, split_mailbox, unstructured
from digestmail.mail.placeholders import single_line
from digestmail.text.addresses import split_address, to_wire_address, wire_domain

if TYPE_CHECKING:
    from datetime import datetime

BOUNDARY: Final = "=_digestmail_part"
"""Occurs in no part: in quoted-printable `=` precedes a hexadecimal digit or a line end, and base64 has no `_`."""
TOKEN_SLOT: Final = b"\0"
MAILTO_TOKEN_SLOT: Final = b"\1"
"""Where the tokens go in a header that was split. Encoded headers contain no control characters."""

_MAILTO_MARKER: Final = "\ufdd3"
"""Marks the token in the unsubscribe address, as `MARKER` marks the token in links."""
_SLOT_OF: Final = {MARKER: TOKEN_SLOT, _MAILTO_MARKER: MAILTO_TOKEN_SLOT}
_ANY_MARKER = re.compile(f"([{MARKER}{_MAILTO_MARKER}])")
_MAX_LINE: Final = 998
_MAX_TOKEN: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The sender, as every digest's headers give it."""

    mailbox: str
    """The From mailbox: `Name <name@domain>`, or an address alone, for which the digest's title becomes the name."""
    domain: str
    """The right side of every List-Id (RFC 2919). It must be our own and must not change."""
    reply_to: str | None = None
    base_url: str | None = None
    """The URL of the web pages, without a slash at the end; None if there are none."""
    bounce_address: str | None = None
    """`name@domain` of the mailbox that digestmail reads. Unsubscribe emails go to `name+TOKEN@domain`."""

    def contact(self) -> str:
        """Return the address that replies go to. Raises ValueError if it is not a mailbox."""
        return _mailbox(self.reply_to or self.mailbox)[1]


def subject_header(subject: str) -> bytes:
    """Return the field with the subject, and its CRLF."""
    return f"Subject: {unstructured('Subject', single_line(subject))}\r\n".encode("ascii")


def shared_headers(title: str, digest: str, sender: Sender, *, notice: bool) -> tuple[bytes, bytes]:
    """Return the headers that are the same for every recipient: before the subject, and after it.

    Raises ValueError.
    """
    name, address = _mailbox(sender.mailbox)
    domain, contact = wire_domain(sender.domain), sender.contact()
    kind = "notice" if notice else "edition"
    before = [("From", named("From", single_line(name) or title, address)), ("Reply-To", contact)]
    after = [
        *([] if notice else _list_headers(title, digest, domain, contact)),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834 section 5
        ("Precedence", "bulk"),  # the only header that some auto-responders check
        ("Feedback-ID", f"{digest}:{kind}:digestmail:{_feedback_sender(domain)}"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="{BOUNDARY}"'),
    ]
    if sender.base_url is not None and not notice:
        after.append(("List-Archive", f"<{sender.base_url}/{digest}>"))
    return _fields(before), _fields(after)


def _fields(fields: list[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii")


def unsubscribe_headers(sender: Sender) -> list[bytes]:
    """Return the unsubscribe headers, split at the tokens. Raises ValueError if `base_url` is too long.

    One-click is only announced for https (RFC 8058 section 3.1). List-Unsubscribe is not folded, because some parsers
    read only the first line.
    """
    contact = sender.contact()
    by_mail = f"<{_unsubscribe_mailto(sender.bounce_address, contact)}>"
    if sender.base_url is None or not sender.base_url.startswith("https://"):
        lines = f"List-Unsubscribe: {by_mail}\r\n"
    else:
        lines = f"List-Unsubscribe: <{_unsubscribe_url(sender.base_url)}>, {by_mail}\r\n"
        lines += "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    if len(lines) > _MAX_LINE - 2 * _MAX_TOKEN:
        raise ValueError("base_url is too long for a List-Unsubscribe header")
    return [_SLOT_OF.get(piece) or piece.encode("ascii") for piece in _ANY_MARKER.split(lines)]


def body_links(sender: Sender) -> tuple[str, str, str]:
    """Return the unsubscribe, preferences and feedback links of the bodies, each with the token's marker."""
    if sender.base_url is None:
        link = _mailto_with_subject(sender.bounce_address or sender.contact())
        return link, link, link
    base = sender.base_url
    return _unsubscribe_url(base), f"{base}/preferences/{MARKER}", f"{base}/feedback/{MARKER}"


@lru_cache(maxsize=4)
def date_header(date: datetime) -> str:
    """Return the value of a Date header. It is cached, because messages of the same second share it."""
    return format_datetime(date)


def _list_headers(title: str, digest: str, domain: str, contact: str) -> list[tuple[str, str]]:
    return [
        ("List-Id", named("List-Id", title, f"{digest}.{domain}")),
        ("List-Help", f"<mailto:{_in_mailto(contact)}?subject=help>"),
        ("List-Owner", f"<mailto:{_in_mailto(contact)}>"),
    ]


def _unsubscribe_url(base_url: str) -> str:
    return f"{base_url}/unsubscribe/{MARKER}"


def _unsubscribe_mailto(bounce_address: str | None, contact: str) -> str:
    """Return the mailto: URL for unsubscribing (RFC 6068).

    The subject has a token too, because some mail servers drop the part of an address after the plus sign.
    """
    if bounce_address is None:
        return _mailto_with_subject(contact)
    local, domain = split_address(bounce_address)
    return f"mailto:{_in_mailto(local)}+{_MAILTO_MARKER}@{wire_domain(domain)}?subject=unsubscribe%20{MARKER}"


def _mailto_with_subject(address: str) -> str:
    return f"mailto:{_in_mailto(address)}?subject=unsubscribe%20{MARKER}"


def _in_mailto(address: str) -> str:
    return quote(address, safe="@")


def _feedback_sender(domain: str) -> str:
    """Return the SenderId of Gmail's Feedback-ID: 5 to 15 characters, the same in all messages."""
    return re.sub(r"[^a-z0-9]+", "-", domain.lower())[:15].ljust(5, "-")


def _mailbox(text: str) -> tuple[str, str]:
    """Return (name, address) of a configured mailbox. Raises ValueError."""
    try:
        name, address = split_mailbox(text)
        return name, to_wire_address(address)
    except (ValueError, DeliveryError) as error:
        raise ValueError(f"not a mailbox that can send email: {text!r}") from error
