"""What the values of the configuration may be: addresses, names, passwords; and what every table has in common."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, StringConstraints, model_validator

from digestmail.mail.header_fields import split_mailbox
from digestmail.model.theme import COLOUR_PATTERN
from digestmail.text.addresses import is_plain_address, split_address
from digestmail.text.credentials import guard_problem


def check_mailbox(value: str) -> str:
    """Return `value` if it is one mailbox, `name@domain` or `Name <name@domain>`; the name needs no quotes."""
    try:
        address = split_mailbox(value)[1]
        if not is_plain_address(address):
            from email_validator import validate_email

            validate_email(address, check_deliverability=False, globally_deliverable=False)
    except ValueError as error:  # of either
        raise ValueError(f"not a mail address: {error}") from error
    return value


def _check_return_path(value: str) -> str:
    """Return `value` if a token fits into its local part: 23 octets of the 64 are left (RFC 5321 section 4.5.3.1.1)."""
    local, domain = split_address(value)
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,23}", local) or not re.fullmatch(r"[A-Za-z0-9.-]+", domain):
        raise ValueError("not a bare address in ASCII with at most 23 characters before the @ and no + in it")
    return check_mailbox(value)


def _check_web_address(value: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not a web address: it begins with https:// or http:// and names a host")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("a base address has no query, fragment or user name")
    return value.rstrip("/")


def _check_feed_address(value: str) -> str:
    address = value.split("?", 1)[0]
    if "@" in address.partition("://")[2].partition("/")[0]:
        raise ValueError("write the login as username and password_file, not into the address")
    _check_web_address(address)
    return value


def _check_picture(value: str) -> str:
    if not value.startswith("https://"):
        raise ValueError("a picture in a mail has an https:// address")
    return _check_feed_address(value)


def _check_database(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("not a database address: it begins with sqlite:/// or postgresql://")
    return value


def _check_ehlo_name(value: str) -> str:
    """Return `value` if EHLO may carry it: a domain name with a dot, or an address literal (RFC 5321 section 4.1.3)."""
    from ipaddress import IPv4Address, IPv6Address

    if value.startswith("[") and value.endswith("]"):
        inner = value[1:-1]
        try:
            IPv6Address(inner[5:]) if inner.lower().startswith("ipv6:") else IPv4Address(inner)
        except ValueError as error:
            raise ValueError("not an address literal, which is made like [192.0.2.1] or [IPv6:2001:db8::1]") from error
        return value
    labels = value.split(".")
    is_address = labels[-1].isdigit()
    if len(value) > _LONGEST_DOMAIN or "." not in value or is_address or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("not a full domain name like mail.example.org, nor an address literal like [192.0.2.1]")
    return value


def _check_server_name(value: str) -> str:
    if not all(map(_LABEL.fullmatch, value.split("."))):
        raise ValueError("not a host name: the one that stands in the server's certificate")
    return value


def _check_password(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("is made of blanks only; leave it out if there is none")
    return value


def _check_guard(value: SecretStr) -> SecretStr:
    if problem := guard_problem(value.get_secret_value()):
        raise ValueError(problem)
    return value


def _check_prefix(value: str) -> str:
    from re import fullmatch

    if not fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", value):
        raise ValueError('not a path: it is made like "/papers"')
    return value.rstrip("/")


def _check_proxy(value: str) -> str:
    from ipaddress import ip_network

    ip_network(value, strict=False)
    return value


_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LONGEST_DOMAIN = 253
Password = Annotated[SecretStr, AfterValidator(_check_password)]
"""Given to you by others: anything but blanks."""
Guard = Annotated[SecretStr, AfterValidator(_check_guard)]
"""Made up by you: it has to be hard to guess."""
EhloName = Annotated[str, AfterValidator(_check_ehlo_name)]
ServerName = Annotated[str, AfterValidator(_check_server_name)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Imprint = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")
]
"""The name and postal address of who sends the emails, in one line."""
Word = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A word of a command line."""
Category = Annotated[str, StringConstraints(pattern=r"^[A-Za-z-]+(\.[A-Za-z*-]+)?$")]
Mailbox = Annotated[str, AfterValidator(check_mailbox)]
WebAddress = Annotated[str, AfterValidator(_check_web_address)]
PictureAddress = Annotated[str, AfterValidator(_check_picture)]
Colour = Annotated[str, StringConstraints(pattern=COLOUR_PATTERN, to_lower=True)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
FeedAddress = Annotated[str, AfterValidator(_check_feed_address)]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,200}[A-Za-z0-9])?$")]
ReturnPath = Annotated[str, AfterValidator(_check_return_path)]
DatabaseAddress = Annotated[str, AfterValidator(_check_database)]
PathPrefix = Annotated[str, AfterValidator(_check_prefix)]
ProxyNetwork = Annotated[str, AfterValidator(_check_proxy)]


def without_empty(model: type[BaseModel], values: Any) -> Any:
    """Leave out what is an empty text where leaving it out is allowed: `""` means that there is none.

    So an empty password hides no `password_file`, and guards nothing.
    """
    if not isinstance(values, dict):
        return values
    optional = {name for name, field in model.model_fields.items() if not field.is_required() and field.default is None}
    return {key: value for key, value in values.items() if not (key in optional and value == "")}


class Table(BaseModel):
    """A table of the configuration: it takes no unknown key and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        return without_empty(cls, values)
