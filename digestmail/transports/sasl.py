"""SASL with OAuth 2 access tokens, as SMTP and IMAP servers accept it: XOAUTH2 and OAUTHBEARER (RFC 7628). Pure."""

from __future__ import annotations

import binascii
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from digestmail.transports.smtp.replies import reply_text

MECHANISMS = ("OAUTHBEARER", "XOAUTH2")
"""In order of preference: the standard before Google's own format
(https://developers.google.com/workspace/gmail/imap/xoauth2-protocol), which is all that Exchange Online accepts."""


class AccessTokens(Protocol):
    """Provides access tokens for one server. Several threads may use it at once."""

    def get(self) -> str:
        """Return a token that is valid as far as known. Raises TransportError."""
        ...

    def renew(self, refused: str) -> str | None:
        """Return another token than `refused`, which the server did not accept; None if there is none.

        Raises TransportError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """The two messages of a client: the first, and the answer to an error challenge, after which the server fails."""

    mechanism: str
    initial: bytes
    after_error: bytes


def choose(offered: Collection[str]) -> str | None:
    """Return the mechanism to use of those that a server offers, in any case; None if it offers neither."""
    upper = {name.upper() for name in offered}
    return next((name for name in MECHANISMS if name in upper), None)


def bearer(mechanism: str, username: str, token: str, *, host: str, port: int) -> Bearer:
    """Return what to send for `mechanism`. `host` and `port` are those that the client connected to."""
    if mechanism == "XOAUTH2":
        initial = f"user={username}\1auth=Bearer {token}\1\1"
        return Bearer(mechanism=mechanism, initial=initial.encode(), after_error=b"")
    # RFC 7628 section 3.1 with the GS2 header of RFC 5801 section 4, in which "=" and "," are escaped.
    name = username.replace("=", "=3D").replace(",", "=2C")
    initial = f"n,a={name},\1host={host}\1port={port}\1auth=Bearer {token}\1\1"
    return Bearer(mechanism=mechanism, initial=initial.encode(), after_error=b"\1")


def challenge_text(challenge: bytes) -> str:
    """Return an error challenge (RFC 7628 section 3.2.2) as words for operators: "status 401, scope ...".

    `challenge` is decoded from base64. It is JSON, but a server may send anything.
    """
    try:
        said = json.loads(challenge)
    except (ValueError, RecursionError):
        return reply_text(challenge)
    if not isinstance(said, dict):
        return reply_text(challenge)
    return reply_text(", ".join(f"{key} {value}" for key, value in said.items()))


def decoded(text: str) -> bytes:
    """Return a challenge of SMTP (base64) as octets, or as it is if it is not base64."""
    try:
        return binascii.a2b_base64(text.strip(), strict_mode=True)
    except (binascii.Error, ValueError):
        return text.encode()
