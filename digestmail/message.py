"""The message: headers, MIME, and the mould that casts one segment's mail for one recipient after the other. Pure.

Everything is serialised once per segment. What differs between recipients stands in few places, and a cast only
joins the pieces between them.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from html import escape
from typing import Final
from urllib.parse import quote

import idna
from w3lib.url import safe_url_string

from digestmail.dkim import Sealing, Signer, field_names, relaxed
from digestmail.errors import DeliveryError
from digestmail.model import Rendered

UNSUBSCRIBE_PLACE: Final = "https://place.invalid/unsubscribe-9d6b2f41"
"""Stands in a `Rendered` for the recipient's unsubscribe link: a link like any other to everything in between.

`one_line` takes it out of every foreign text, so that no title can hold a place.
"""
PREFERENCES_PLACE: Final = "https://place.invalid/preferences-5c07ea93"
"""The same for the recipient's preferences. The page is found by the unsubscribe token, so that one is spliced."""

_BOUNDARY: Final = "=_digestmail_part"
"""Never occurs in a quoted-printable part: there `=` is followed by a hexadecimal digit or a line end."""
_SPLICE: Final = "\ufdd2"
_LEAVE_SPLICE: Final = "\ufdd3"
_CUT: Final = b"\0"
_LEAVE_CUT: Final = b"\1"
"""Where a recipient's tokens go (of the link, and of the unsubscribe address), in text and, once encoded, in bytes:
quoted-printable never yields these two octets."""
_ANY_SPLICE = re.compile(f"([{_SPLICE}{_LEAVE_SPLICE}])")
_ANY_CUT = re.compile(b"([%b%b])" % (_CUT, _LEAVE_CUT))
_CUT_OF: Final = {_SPLICE: _CUT, _LEAVE_SPLICE: _LEAVE_CUT}
_MAX_QP_LINE: Final = 76
_MAX_LINE: Final = 998
_MAX_TOKEN: Final = 300
_LONGEST_WORD: Final = 60
_SOFT_BREAK: Final = b"=\r\n"
_EMPTY_LINE: Final = b"\r\n"

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


def one_line(text: str) -> str:
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


def wire_address(address: str, *, smtputf8: bool = False) -> str:
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
    if one_line(local) != local or not _INTERNATIONAL_LOCAL.fullmatch(local):
        raise DeliveryError("the recipient's address is malformed", code=None, permanent=True)
    if not smtputf8:
        raise DeliveryError("the recipient's address needs SMTPUTF8", code=None, permanent=True)
    return encoded


def quoted_printable(text: str) -> bytes:
    """Return `text` as a quoted-printable body (RFC 2045 section 6.7): UTF-8, CRLF, lines of at most 76 octets.

    Lines never begin with a dot or with "From ", which mail programs are known to change on the way.
    """
    parts = _ANY_SPLICE.split(text.replace("\r\n", "\n").replace("\r", "\n"))
    body = b"".join(b"=\n%b=\n" % _CUT_OF[part] if part in _CUT_OF else _encoded(part) for part in parts)
    return b"\r\n".join(map(_guarded, body.split(b"\n")))


def _encoded(text: str) -> bytes:
    # The last character keeps room for the "=" of a soft break behind the text, and is taken off again.
    return binascii.b2a_qp(text.encode() + b"|").removesuffix(b"|")


def _guarded(line: bytes) -> bytes:
    if not line.startswith((b".", b"From ")):
        return _cut_to_width(line)
    first = b"=%02X" % line[0]
    if len(first) + len(line) - 1 <= _MAX_QP_LINE:
        return first + line[1:]
    return first + _SOFT_BREAK + _guarded(line[1:])


def _cut_to_width(line: bytes) -> bytes:
    # b2a_qp counts white space at the end of a line as one octet, though it writes three.
    return line if len(line) <= _MAX_QP_LINE else line[:-3] + _SOFT_BREAK + line[-3:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends: what the headers of every digest share."""

    mailbox: str
    """The From mailbox, `Name <name@domain>` or a bare address, which then goes by the digest's title."""
    domain: str
    """The right side of every List-Id (RFC 2919): ours, and the same for ever."""
    reply_to: str | None = None
    bounce_address: str | None = None
    """`name@domain` whose `name+TOKEN@domain` digestmail reads: mail to unsubscribe goes there, else to `reply_to`."""
    base_url: str | None = None
    """Where the web pages are, without a slash at the end; None when there are none."""


class Mould:
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
        it has no List-* header, no one-click unsubscribing and no Precedence. `smtputf8` allows recipients with a
        non-ASCII local part (a transport still refuses them where the server cannot take them). Each of `signers` adds
        a DKIM signature. Raises ValueError when the sender's or the reply address is not a mailbox, or `base_url` is
        too long for a header.
        """
        self._smtputf8 = smtputf8
        contact = _mailbox(sender.reply_to or sender.mailbox)[1]
        if sender.base_url is not None:
            sender = replace(sender, base_url=safe_url_string(sender.base_url))
        by_mail = _mailto(sender.bounce_address, contact)
        self._list_unsubscribe = [b""] if notice else _list_unsubscribe(sender.base_url, by_mail)
        self._headers = _headers(rendered.subject, one_line(title), digest, sender, contact, notice=notice)
        unsubscribe = f"{sender.base_url}/unsubscribe/{_SPLICE}" if sender.base_url else by_mail
        preferences = f"{sender.base_url}/preferences/{_SPLICE}" if sender.base_url else unsubscribe
        body = _body(
            rendered.text.replace(UNSUBSCRIBE_PLACE, unsubscribe).replace(PREFERENCES_PLACE, preferences),
            rendered.html.replace(UNSUBSCRIBE_PLACE, escape(unsubscribe)).replace(
                PREFERENCES_PLACE, escape(preferences)
            ),
        )
        self._body = _ANY_CUT.split(body)
        self._sealing = None
        if signers:
            own = b"To:\r\nDate:\r\nMessage-ID:\r\n" + b"".join(self._list_unsubscribe)
            start = self._body[0].removeprefix(_EMPTY_LINE)
            self._sealing = Sealing(signers, shared=self._headers, own_names=field_names(own), body_start=start)
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

        `message_id` in angle brackets, `date` aware, `unsubscribe_token` of letters, digits, `-`, `_` and `.` (a
        notice holds no personal place and needs none), and `leave_token` the same where the sender has a bounce
        address: else ValueError. Raises DeliveryError (permanent) when `recipient` is not an address mail can be sent
        to.
        """
        if not _MESSAGE_ID.fullmatch(message_id):
            raise ValueError(f"not a Message-ID: {message_id!r}")
        tokens = self._checked({_CUT: unsubscribe_token, _LEAVE_CUT: leave_token})
        if date.tzinfo is None:
            raise ValueError("naive datetime")
        to = wire_address(recipient, smtputf8=self._smtputf8)
        day = _date(date.replace(microsecond=0))
        own = f"To: {to}\r\nDate: {day}\r\nMessage-ID: {message_id}\r\n".encode()
        own += _filled(self._list_unsubscribe, tokens)
        folded = {cut: _folded(token) for cut, token in tokens.items()}
        rest = [folded.get(piece, piece) for piece in self._body[1:]]
        sealed = b""
        if self._sealing is not None:
            canonical = f"to:{to}\r\ndate:{day}\r\nmessage-id:{message_id}\r\n".encode()
            canonical += _filled(self._relaxed_unsubscribe, tokens)
            sealed = self._sealing.sign(canonical, b"".join(rest), date)
        return b"".join((sealed, own, self._headers, self._body[0], *rest))

    def _checked(self, tokens: dict[bytes, str | None]) -> dict[bytes, bytes]:
        """Return the tokens there is a place for. Raises ValueError when one of them is missing or unsafe."""
        checked = {}
        for cut, token in tokens.items():
            if token is not None and _SAFE_TOKEN.fullmatch(token):
                checked[cut] = token.encode()
            elif token is not None or cut in self._body or cut in self._list_unsubscribe:
                raise ValueError("not a token that may stand in a link")
        return checked


def _filled(pieces: Sequence[bytes], tokens: dict[bytes, bytes]) -> bytes:
    return b"".join([tokens.get(piece, piece) for piece in pieces])


@lru_cache(maxsize=4)
def _date(second: datetime) -> str:
    """Return a second as a Date header has it; thousands of messages are cast in each."""
    return format_datetime(second)


def _folded(token: bytes) -> bytes:
    """Return `token` cut by soft breaks where it is longer than a line."""
    width = _MAX_QP_LINE - 1
    if len(token) <= width:
        return token
    return _SOFT_BREAK.join(token[start : start + width] for start in range(0, len(token), width))


def _body(text: str, html: str) -> bytes:
    """Return the body, the empty line before it included, plain text first (RFC 2046 section 5.1.4: the best last)."""
    parts = (
        f"\r\n--{_BOUNDARY}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
        + quoted_printable(part)
        for kind, part in (("plain", text), ("html", html))
    )
    return b"".join((*parts, f"\r\n--{_BOUNDARY}--\r\n".encode()))


def _mailto(bounce_address: str | None, contact: str) -> str:
    """Return where a mail to unsubscribe goes (RFC 6068).

    The subject proves the same as the address: some mail servers drop what stands behind the plus.
    """
    if bounce_address is None:
        return f"mailto:{_in_mailto(contact)}?subject=unsubscribe%20{_SPLICE}"
    local, _, domain = bounce_address.rpartition("@")
    return f"mailto:{_in_mailto(local)}+{_LEAVE_SPLICE}@{wire_domain(domain)}?subject=unsubscribe%20{_SPLICE}"


def _list_unsubscribe(base_url: str | None, mailto: str) -> list[bytes]:
    """Return the unsubscribe headers, cut where the tokens go.

    One-Click is promised only for https (RFC 8058 section 3.1); the header stays on one line for parsers that look
    no further.
    """
    by_mail = f"<{mailto}>"
    if base_url is None or not base_url.startswith("https://"):
        lines = f"List-Unsubscribe: {by_mail}\r\n"
    else:
        lines = f"List-Unsubscribe: <{base_url}/unsubscribe/{_SPLICE}>, {by_mail}\r\n"
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
        ("From", f"{_phrase('From', one_line(name) or title)} <{address}>"),
        ("Reply-To", contact),
        ("Subject", _unstructured("Subject", one_line(subject))),
        *([] if notice else _list_headers(title, digest, domain, contact)),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834: vacation programs stay silent
        ("Feedback-ID", f"{digest}:{kind}:digestmail:{_feedback_sender(domain)}"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="{_BOUNDARY}"'),
    ]
    if sender.base_url is not None and not notice:
        fields.append(("List-Archive", f"<{sender.base_url}/{digest}>"))
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii")


def _list_headers(title: str, digest: str, domain: str, contact: str) -> list[tuple[str, str]]:
    return [
        ("List-Id", f"{_phrase('List-Id', title)} <{digest}.{domain}>"),
        ("List-Help", f"<mailto:{_in_mailto(contact)}?subject=help>"),
        ("List-Owner", f"<mailto:{_in_mailto(contact)}>"),
        ("Precedence", "bulk"),
    ]


def _feedback_sender(domain: str) -> str:
    """Return the SenderId of Gmail's Feedback-ID: 5 to 15 characters, the same in all our mail."""
    return re.sub(r"[^a-z0-9]+", "-", domain.lower())[:15].ljust(5, "-")


def _mailbox(text: str) -> tuple[str, str]:
    """Return (name, address) of a mailbox of ours. Raises ValueError."""
    name, address = parseaddr(text)
    try:
        return name, wire_address(address)
    except DeliveryError as error:
        raise ValueError(f"not a mailbox mail can be sent from: {text!r}") from error


def _in_mailto(address: str) -> str:
    return quote(address, safe="@")


def _phrase(header: str, text: str) -> str:
    """Return `text` as a display name (RFC 5322 section 3.2.5, RFC 2047 section 5)."""
    if not text.isascii() or "=?" in text:
        return _encoded_words(header, text)
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def _unstructured(header: str, text: str) -> str:
    """Return `text` as the value of an unstructured header, folded (RFC 5322 section 2.2.3)."""
    if not text.isascii() or "=?" in text or any(len(word) > _LONGEST_WORD for word in text.split()):
        return _encoded_words(header, text)
    return Header(text, "us-ascii", header_name=header).encode(linesep="\r\n")


def _encoded_words(header: str, text: str) -> str:
    # The older Header class, because folding by email.policy may decode what only looks like an encoded word and
    # loses the quotes of a display name when it folds it (CPython issue 121284).
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")
