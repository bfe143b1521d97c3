"""The message: headers, MIME, and the mould that casts one segment's mail for one recipient after the other. Pure.

Everything is serialised once per segment. What differs between recipients stands in few places, and a cast only
joins the pieces between them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from html import escape
from typing import Final
from urllib.parse import quote

import idna
from w3lib.url import safe_url_string

from digestmail.errors import DeliveryError
from digestmail.mail.dkim import SegmentSigner, Signer, field_names, relaxed
from digestmail.mail.encoding import SPLICE, Part, smaller
from digestmail.mail.header_fields import named, split_mailbox, unstructured
from digestmail.model.deliveries import Rendered

UNSUBSCRIBE_PLACE: Final = "https://place.invalid/unsubscribe-9d6b2f41"
"""Stands in a `Rendered` for the recipient's unsubscribe link: a link like any other to everything in between.

`single_line` takes it out of every foreign text, so that no title can hold a place.
"""
PREFERENCES_PLACE: Final = "https://place.invalid/preferences-5c07ea93"
"""The same for the recipient's preferences. The page is found by the unsubscribe token, so that one is spliced."""

_BOUNDARY: Final = "=_digestmail_part"
"""Occurs in no part: in quoted-printable `=` is followed by a hexadecimal digit or a line end, base64 has no `_`."""
_CLOSING: Final = f"\r\n--{_BOUNDARY}--\r\n".encode()
_LEAVE_SPLICE: Final = "\ufdd3"
"""Where the token of the unsubscribe address goes, as `SPLICE` is for the token of the links."""
_CUT: Final = b"\0"
_LEAVE_CUT: Final = b"\1"
_CUT_OF: Final = {SPLICE: _CUT, _LEAVE_SPLICE: _LEAVE_CUT}
_ANY_SPLICE = re.compile(f"([{SPLICE}{_LEAVE_SPLICE}])")
_ANY_CUT = re.compile(b"([%b%b])" % (_CUT, _LEAVE_CUT))
"""The same in encoded headers, which hold no control characters."""
_MAX_LINE: Final = 998
_MAX_TOKEN: Final = 300
_EMPTY_LINE: Final = b"\r\n"
_LONGEST_ADDRESS: Final = 320
"""64 octets before the @ and 255 behind it (RFC 5321 section 4.5.3.1)."""
_SHORT_ADDRESS: Final = "a@example.org"
_LONGEST_TOKEN: Final = 60
_LONGEST_LABELS: Final = 120
"""What a token and the left side of a Message-ID have beside the digest's name, which base64 makes longer."""
_ANY_DATE: Final = datetime(2000, 1, 1, tzinfo=UTC)

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
"""Controls, bidirectional overrides (they would turn what follows the title), surrogates and noncharacters."""

_DOT_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
_ADDRESS = re.compile(rf"(?=.{{3,254}}\Z)(?=[^@]{{1,64}}@){_DOT_ATOM}@{_HOST}")
"""RFC 5321 section 4.1.2 without quoted local parts, and the lengths of section 4.5.3.1."""
_INTERNATIONAL_LOCAL = re.compile(r"(?=.*[^\x00-\x7f])[^\s\"(),:;<>@\[\\\]]{1,64}")
"""RFC 6531 section 3.3, about as strict as the ASCII form: nothing that could end a line or an address."""
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")
_SAFE_TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,300}")


def single_line(text: str) -> str:
    """Return `text` as one line that may stand anywhere in a mail: white space folded, unprintable characters gone."""
    return " ".join(_UNPRINTABLE.sub("", text).replace(UNSUBSCRIBE_PLACE, " ").replace(PREFERENCES_PLACE, " ").split())


def wire_domain(domain: str) -> str:
    """Return `domain` as A-labels (RFC 5890). Raises ValueError when it is no host name."""
    try:
        encoded = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"not a domain: {domain!r}") from error
    if not re.fullmatch(_HOST, encoded):
        raise ValueError(f"not a domain: {domain!r}")
    return encoded


def to_wire_address(address: str, *, smtputf8: bool = False) -> str:
    """Return `address` as it goes over the wire and into headers: the domain as A-labels (RFC 5890).

    A non-ASCII local part is allowed only with `smtputf8` (RFC 6531). Raises DeliveryError (permanent) for
    anything that is not one plain address, line ends and quoted local parts included.
    """
    if _ADDRESS.fullmatch(address):
        return address
    local, _, domain = address.rpartition("@")
    try:
        encoded = f"{local}@{wire_domain(domain)}"
    except ValueError as error:
        raise DeliveryError("the recipient's address is malformed", code=None, permanent=True) from error
    if _ADDRESS.fullmatch(encoded):
        return encoded
    if single_line(local) != local or not _INTERNATIONAL_LOCAL.fullmatch(local):
        raise DeliveryError("the recipient's address is malformed", code=None, permanent=True)
    if not smtputf8:
        raise DeliveryError("the recipient's address needs SMTPUTF8", code=None, permanent=True)
    return encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends: what the headers of every digest share."""

    mailbox: str
    """The From mailbox, `Name <name@domain>` or a bare address, which then goes by the digest's title."""
    domain: str
    """The right side of every List-Id (RFC 2919): ours, and the same for ever."""
    reply_to: str | None = None
    base_url: str | None = None
    """Where the web pages are, without a slash at the end; None when there are none."""
    bounce_address: str | None = None
    """`name@domain` of the mailbox digestmail reads; a mail to unsubscribe goes to `name+TOKEN@domain`."""


class MessageTemplate:
    """One segment's mail, or a notice, serialised but for what differs between recipients."""

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
        """Serialise everything once, which takes some milliseconds.

        `digest` is the digest's name, a DNS label. A `notice` answers what one person did: it belongs to no list, so
        it has no List-* header and no one-click unsubscribing. `smtputf8` allows recipients with a
        non-ASCII local part (a transport still refuses them where the server cannot take them). Each of `signers` adds
        a DKIM signature. Raises ValueError when the sender's or the reply address is not a mailbox, or `base_url` is
        too long for a header.
        """
        self._smtputf8, self._digest, self._domain = smtputf8, digest, wire_domain(sender.domain)
        contact = _mailbox(sender.reply_to or sender.mailbox)[1]
        if sender.base_url is not None:
            sender = replace(sender, base_url=safe_url_string(sender.base_url))
        self._list_unsubscribe = [b""] if notice else _list_unsubscribe(sender, contact)
        self._headers = _headers(rendered.subject, single_line(title), digest, sender, contact, notice=notice)
        unsubscribe = _unsubscribe_link(sender.base_url, sender.bounce_address or contact)
        preferences = f"{sender.base_url}/preferences/{SPLICE}" if sender.base_url else unsubscribe
        # Plain text first: RFC 2046 section 5.1.4, the best comes last.
        self._text = smaller(
            rendered.text.replace(UNSUBSCRIBE_PLACE, unsubscribe).replace(PREFERENCES_PLACE, preferences)
        )
        self._html = smaller(
            rendered.html.replace(UNSUBSCRIBE_PLACE, escape(unsubscribe)).replace(
                PREFERENCES_PLACE, escape(preferences)
            )
        )
        self._start = _opening("plain", self._text) + self._text.start
        self._middle = _opening("html", self._html) + self._html.start
        self._personal = bool(self._text.rest(b"x") or self._html.rest(b"x"))
        self._sealing = None
        if signers:
            own = b"To:\r\nDate:\r\nMessage-ID:\r\n" + b"".join(self._list_unsubscribe)
            start = self._start.removeprefix(_EMPTY_LINE)
            self._sealing = SegmentSigner(signers, shared=self._headers, own_names=field_names(own), body_start=start)
            self._relaxed_unsubscribe = _ANY_CUT.split(relaxed(b"".join(self._list_unsubscribe)))

    def cast(
        self,
        *,
        recipient: str,
        message_id: str,
        date: datetime,
        unsubscribe_token: str | None = None,
        leave_token: str | None = None,
    ) -> bytes:
        """Return the message for one recipient: CRLF line ends, 7-bit unless the local part is not ASCII.

        No line begins with a dot, and the last one is whole, so that a server may be sent it as it is.

        `message_id` in angle brackets, `date` aware, tokens of letters, digits, `-`, `_` and `.` (a notice needs none,
        and only a sender with a bounce address needs `leave_token`): else ValueError. Raises DeliveryError (permanent)
        when `recipient` is not an address mail can be sent to.
        """
        if not _MESSAGE_ID.fullmatch(message_id):
            raise ValueError(f"not a Message-ID: {message_id!r}")
        tokens = {_CUT: self._checked(_CUT, unsubscribe_token), _LEAVE_CUT: self._checked(_LEAVE_CUT, leave_token)}
        if date.tzinfo is None:
            raise ValueError("naive datetime")
        to = to_wire_address(recipient, smtputf8=self._smtputf8)
        token, day = tokens[_CUT], _date(date.replace(microsecond=0))
        own = f"To: {to}\r\nDate: {day}\r\nMessage-ID: {message_id}\r\n".encode()
        own += _filled(self._list_unsubscribe, tokens)
        rest = [*self._text.rest(token), self._middle, *self._html.rest(token), _CLOSING]
        sealed = b""
        if self._sealing is not None:
            canonical = f"to:{to}\r\ndate:{day}\r\nmessage-id:{message_id}\r\n".encode()
            canonical += _filled(self._relaxed_unsubscribe, tokens)
            sealed = self._sealing.sign(canonical, b"".join(rest), date)
        return b"".join((sealed, own, self._headers, self._start, *rest))

    def octets(self) -> int:
        """Return the size of the largest message this casts for an address of up to 320 octets, signatures included."""
        longest = self.cast(
            recipient=_SHORT_ADDRESS,
            message_id=f"<{'x' * (_LONGEST_LABELS + len(self._digest))}@{self._domain}>",
            date=_ANY_DATE,
            unsubscribe_token="x" * (_LONGEST_TOKEN + 2 * len(self._digest)),
            leave_token="x" * _LONGEST_TOKEN,
        )
        return len(longest) + _LONGEST_ADDRESS - len(_SHORT_ADDRESS)

    def _checked(self, cut: bytes, token: str | None) -> bytes:
        """Return a token as octets, empty without a place for it. Raises ValueError when it is missing or unsafe."""
        if token is None and cut not in self._list_unsubscribe and not (cut == _CUT and self._personal):
            return b""
        if token is None or not _SAFE_TOKEN.fullmatch(token):
            raise ValueError("not a token that may stand in a link")
        return token.encode()


def _filled(pieces: Sequence[bytes], tokens: dict[bytes, bytes]) -> bytes:
    return b"".join([tokens.get(piece, piece) for piece in pieces])


@lru_cache(maxsize=4)
def _date(second: datetime) -> str:
    """Return a second as a Date header has it; thousands of messages are cast in each."""
    return format_datetime(second)


def _opening(kind: str, part: Part) -> bytes:
    """Return what stands before a part's body, the boundary included."""
    return (
        f"\r\n--{_BOUNDARY}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {part.encoding}\r\n\r\n"
    ).encode()


def _unsubscribe_link(base_url: str | None, contact: str) -> str:
    if base_url is None:
        return f"mailto:{_in_mailto(contact)}?subject=unsubscribe%20{SPLICE}"
    return f"{base_url}/unsubscribe/{SPLICE}"


def _mailto(bounce_address: str | None, contact: str) -> str:
    """Return where a mail to unsubscribe goes (RFC 6068).

    The subject proves the same as the address: some mail servers drop what stands behind the plus.
    """
    if bounce_address is None:
        return _unsubscribe_link(None, contact)
    local, _, domain = bounce_address.rpartition("@")
    return f"mailto:{_in_mailto(local)}+{_LEAVE_SPLICE}@{wire_domain(domain)}?subject=unsubscribe%20{SPLICE}"


def _list_unsubscribe(sender: Sender, contact: str) -> list[bytes]:
    """Return the unsubscribe headers, cut where the tokens go.

    One-Click is promised only for https (RFC 8058 section 3.1); the header stays on one line for parsers that look
    no further.
    """
    by_mail = f"<{_mailto(sender.bounce_address, contact)}>"
    if sender.base_url is None or not sender.base_url.startswith("https://"):
        lines = f"List-Unsubscribe: {by_mail}\r\n"
    else:
        lines = f"List-Unsubscribe: <{_unsubscribe_link(sender.base_url, contact)}>, {by_mail}\r\n"
        lines += "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    if len(lines) > _MAX_LINE - 2 * _MAX_TOKEN:
        raise ValueError("base_url is too long for a List-Unsubscribe header")
    return [_CUT_OF.get(piece) or piece.encode("ascii") for piece in _ANY_SPLICE.split(lines)]


def _headers(subject: str, title: str, digest: str, sender: Sender, contact: str, *, notice: bool) -> bytes:
    """Return the headers every recipient gets alike, up to the empty line."""
    name, address = _mailbox(sender.mailbox)
    domain = wire_domain(sender.domain)
    kind = "notice" if notice else "edition"
    fields = [
        ("From", named("From", single_line(name) or title, address)),
        ("Reply-To", contact),
        ("Subject", unstructured("Subject", single_line(subject))),
        *([] if notice else _list_headers(title, digest, domain, contact)),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834 section 5
        ("Precedence", "bulk"),  # several programs that answer mail look at nothing else
        ("Feedback-ID", f"{digest}:{kind}:digestmail:{_feedback_sender(domain)}"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="{_BOUNDARY}"'),
    ]
    if sender.base_url is not None and not notice:
        fields.append(("List-Archive", f"<{sender.base_url}/{digest}>"))
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii")


def _list_headers(title: str, digest: str, domain: str, contact: str) -> list[tuple[str, str]]:
    return [
        ("List-Id", named("List-Id", title, f"{digest}.{domain}")),
        ("List-Help", f"<mailto:{_in_mailto(contact)}?subject=help>"),
        ("List-Owner", f"<mailto:{_in_mailto(contact)}>"),
    ]


def _feedback_sender(domain: str) -> str:
    """Return the SenderId of Gmail's Feedback-ID: 5 to 15 characters, the same in all our mail."""
    return re.sub(r"[^a-z0-9]+", "-", domain.lower())[:15].ljust(5, "-")


def _mailbox(text: str) -> tuple[str, str]:
    """Return (name, address) of a mailbox of ours. Raises ValueError."""
    try:
        name, address = split_mailbox(text)
        return name, to_wire_address(address)
    except (ValueError, DeliveryError) as error:
        raise ValueError(f"not a mailbox mail can be sent from: {text!r}") from error


def _in_mailto(address: str) -> str:
    return quote(address, safe="@")
