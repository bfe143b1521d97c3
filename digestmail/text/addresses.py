"""Email addresses: parsed, normalized and compared here and nowhere else. Pure, without DNS.

In this module the domain is what follows the last `@`, because only a quoted local part can contain another one.
"""

from __future__ import annotations

import re
from typing import Final

from digestmail.errors import DeliveryError, SubscriptionError

_PLAIN = re.compile(
    r"(?=.{3,254}\Z)(?=[^@]{1,64}@)"
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,20}"
)
"""A fast test that most addresses pass. Domains with `--` are excluded, because A-labels must be decoded."""
_PUBLIC_DOMAIN = re.compile(r"(?:[a-z0-9-]+\.)+(?=[a-z0-9-]*[a-z])[a-z0-9-]{2,63}", re.IGNORECASE)
"""At least two labels, the last one not only digits (RFC 3696 section 2)."""
_LONGEST_SHOWN = 254
_GMAIL = frozenset({"gmail.com", "googlemail.com"})
"""One provider: dots do not count, and both names are the same mailbox (support.google.com/mail/answer/7436150)."""

_DOT_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
_WIRE_ADDRESS = re.compile(rf"(?=.{{3,254}}\Z)(?=[^@]{{1,64}}@){_DOT_ATOM}@{_HOST}")
"""RFC 5321 section 4.1.2 without quoted local parts, and the lengths of section 4.5.3.1."""
_INTERNATIONAL_LOCAL = re.compile(r"(?=.*[^\x00-\x7f])[^\s\"(),:;<>@\[\\\]]{1,64}")
"""RFC 6531 section 3.3, about as strict as the ASCII form: nothing that could end a line or an address."""
_ENVELOPE_ADDRESS = re.compile(r'[^\s\x00-\x1f\x7f<>()\[\],;:\\"@]+@[^\s\x00-\x1f\x7f<>()\[\],;:\\"@]+')
"""A quoted local part or an address literal would be legal (RFC 5321 section 4.1.2), but no reader has one, and they
are where white space, brackets and commas could get into a command."""
ADDRESS_IN_TEXT: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
)
"""Finds addresses in the sentences of mail servers."""


def split_address(address: str) -> tuple[str, str]:
    """Return (local part, domain), as written. Without an `@` the local part is empty."""
    local, _, domain = address.rpartition("@")
    return local, domain


def is_plain_address(address: str) -> bool:
    """Return whether an address is as most are, and certainly valid. Others may be valid too."""
    local, domain = split_address(address)
    return "--" not in domain and domain.isascii() and bool(_PLAIN.fullmatch(f"{local}@{domain.lower()}"))


def normalize_address(address: str) -> str:
    """Return `address` in the form in which it is stored: Unicode NFC, with the domain in lower case.

    Raises SubscriptionError if it is not an address (RFC 5321 section 4.1.2, RFC 6531), or if its domain is not a name
    with at least one dot that may be in the DNS: no IP address, no bare host name. Every way to add an address uses
    this rule.
    """
    address = address.strip()
    if is_plain_address(address):
        local, domain = split_address(address)
        return f"{local}@{domain.lower()}"
    # Imported here, because it is slow to load and few addresses need it.
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise _no_address(address, str(error)) from error
    if not _PUBLIC_DOMAIN.fullmatch(checked.ascii_domain):
        raise _no_address(address, "the part after the @ must be a domain such as example.org")
    return checked.normalized


def _no_address(address: str, why: str) -> SubscriptionError:
    shown = address if len(address) <= _LONGEST_SHOWN else f"{address[:_LONGEST_SHOWN]}…"
    return SubscriptionError(
        "%(address)s is not an email address",
        address=repr(shown),
        operator_text=f"{shown!r} is not an email address: {why}",
    )


def key_of(address: str) -> str:
    """Return the key that identifies the person: the normalized address, casefolded.

    RFC 5321 section 2.4 lets a server tell apart local parts that differ in case, but none that matters does.
    """
    return address.casefold()


def is_same_address(one: str, other: str) -> bool:
    """Return whether two addresses identify the same person."""
    return key_of(one) == key_of(other)


def mailbox_of(address: str) -> str:
    """Return a key of the mailbox that a normalized address probably belongs to, for rate limits only.

    It has no tag: `reader+news@example.org` is `reader@example.org` (RFC 5233). Gmail also ignores dots. Never send to
    it, and never identify a person by it, because a `+` may be part of a name.
    """
    local, domain = split_address(key_of(address))
    name = local.partition("+")[0] or local
    if domain in _GMAIL:
        name, domain = name.replace(".", ""), "gmail.com"
    return f"{name}@{domain}"


def domain_of(address: str) -> str:
    """Return the domain of an address, in lower case."""
    return address.rpartition("@")[2].lower()


def wire_domain(domain: str) -> str:
    """Return `domain` as A-labels (RFC 5890). Raises ValueError if it is not a host name."""
    if domain.isascii():
        encoded = domain
    else:
        import idna

        try:
            encoded = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError as error:
            raise ValueError(f"not a domain: {domain!r}") from error
    if not re.fullmatch(_HOST, encoded):
        raise ValueError(f"not a domain: {domain!r}")
    return encoded


def to_wire_address(address: str, *, smtputf8: bool = False) -> str:
    """Return `address` as it appears in SMTP and in headers: the domain as A-labels (RFC 5890).

    A non-ASCII local part is only allowed with `smtputf8` (RFC 6531). Raises DeliveryError (permanent) for anything
    that is not one plain address, such as line ends and quoted local parts.
    """
    if _WIRE_ADDRESS.fullmatch(address):
        return address
    local, domain = split_address(address)
    try:
        encoded = f"{local}@{wire_domain(domain)}"
    except ValueError as error:
        raise DeliveryError("the recipient's address is malformed", code=None, permanent=True) from error
    if _WIRE_ADDRESS.fullmatch(encoded):
        return encoded
    if not local.isprintable() or not _INTERNATIONAL_LOCAL.fullmatch(local):
        raise DeliveryError("the recipient's address is malformed", code=None, permanent=True)
    if not smtputf8:
        raise DeliveryError("the recipient's address needs SMTPUTF8", code=None, permanent=True)
    return encoded


def is_envelope_address(address: str) -> bool:
    """Return whether `address` can be written between the angle brackets of an SMTP command."""
    return _ENVELOPE_ADDRESS.fullmatch(address) is not None


def with_ascii_domain(address: str) -> str:
    """Return an envelope address with its domain as A-labels (RFC 5890), which need no SMTPUTF8.

    Addresses in ASCII, and the empty one, are returned as they are. Raises ValueError if the domain is no host name.
    """
    if address.isascii():
        return address
    local, domain = split_address(address)
    return f"{local}@{wire_domain(domain)}"
