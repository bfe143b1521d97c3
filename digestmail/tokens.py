"""Signed tokens: what a link or a Message-ID carries so that nobody can make one up. Pure, keyed by one secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from itsdangerous import BadData, URLSafeSerializer

from digestmail.errors import TokenError

_MAC_BYTES = 10
"""80 bits: nobody gains by guessing a Message-ID, it only has to be unique over every delivery ever made."""


class Tokens:
    """Makes and reads signed tokens. Each purpose has a salt of its own, so that no token serves for another."""

    def __init__(self, secret: str) -> None:
        """Use `secret`, this instance's signing key, for every token; an empty one is a ValueError."""
        if not secret:
            raise ValueError("the signing secret is empty")
        self._unsubscribe = URLSafeSerializer(secret, salt="digestmail.unsubscribe")
        self._message_key = hmac.digest(secret.encode(), b"digestmail.message-id", hashlib.sha256)

    def unsubscribe(self, subscriber_id: int, digest: str) -> str:
        """Return the token by which `subscriber_id` leaves `digest`: letters, digits, `-`, `_` and `.`.

        About 50 characters, because itsdangerous signs with HMAC-SHA1, whose collisions are no forgeries. It never
        expires: a reader may unsubscribe from a mail that is years old.
        """
        return str(self._unsubscribe.dumps([subscriber_id, digest]))

    def read_unsubscribe(self, token: str) -> tuple[int, str]:
        """Return (subscriber id, digest) of an unsubscribe token. Raises TokenError for any other string."""
        try:
            content = self._unsubscribe.loads(token)
        except (BadData, UnicodeError) as error:
            raise TokenError("this is not an unsubscribe token of ours") from error
        match content:
            case [int() as subscriber_id, str() as digest]:
                return subscriber_id, digest
            case _:
                raise TokenError("this unsubscribe token holds something else")

    def message_id(self, digest: str, slot: str, subscriber_id: int, domain: str) -> str:
        """Return the Message-ID of a delivery, `<digest.slot.MAC@domain>` (RFC 5322 section 3.6.4).

        The same for every attempt at one delivery and different for every other delivery, so that a mailbox can
        tell a resend. `slot` is a slot's key; the MAC keeps subscriber ids from being counted.
        """
        named = f"{digest}\n{slot}\n{subscriber_id}".encode()
        mac = hmac.digest(self._message_key, named, hashlib.sha256)[:_MAC_BYTES]
        unique = base64.b32encode(mac).decode().lower()
        return f"<{_atom(digest)}.{_atom(slot)}.{unique}@{domain}>"


def _atom(text: str) -> str:
    """Return `text` with all but letters, digits and hyphens made hyphens, so that it may stand between dots."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "x"
