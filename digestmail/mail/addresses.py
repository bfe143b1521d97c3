"""Addresses: the one spelling each is stored under, and what they are limited by. Pure; no DNS is asked."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address, ip_network

from digestmail.errors import SubscriptionError

_PLAIN = re.compile(
    r"(?=.{3,254}\Z)(?=[^@]{1,64}@)"
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,20}"
)
"""What nearly every address looks like. Hyphens are checked apart: A-labels need decoding."""
_NETWORK_BITS = {4: 24, 6: 56}
"""What one household or office has, so that its addresses count as one."""


def normalised(address: str) -> str:
    """Return the one spelling of `address` it is stored under: Unicode NFC, domain in lower case.

    Raises SubscriptionError for what is not an address (RFC 5321 section 4.1.2, RFC 6531).
    """
    address = address.strip()
    local, at, domain = address.rpartition("@")
    plain = f"{local}{at}{domain.lower()}"
    if "--" not in domain and domain.isascii() and _PLAIN.fullmatch(plain):
        return plain
    # Imported here: it is only needed for what is unusual, and is slow to load.
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise SubscriptionError(
            "%(address)s is not an email address",
            address=repr(address),
            operator_text=f"{address!r} is not an email address: {error}",
        ) from error
    return checked.normalized


def key_of(address: str) -> str:
    """Return what makes two addresses the same person: the normalised address casefolded."""
    return address.casefold()


def domain_of(address: str) -> str:
    """Return the domain of a normalised address, in lower case."""
    return address.rpartition("@")[2].lower()


def network_of(client: str) -> str:
    """Return the network a client's IP address lies in, /24 or /56; the text itself when it is no IP address."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ip_network(f"{address}/{_NETWORK_BITS[address.version]}", strict=False))
