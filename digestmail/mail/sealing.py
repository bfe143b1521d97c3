"""Seals octets into the text of a link, which shows nothing of them and cannot be changed. Pure.

A synthetic initialization vector, as in RFC 5297: the same octets and key always give the same text, so that every
email to a person has the same links; the text of other octets has nothing in common with it.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

from digestmail.errors import TokenError

_MAC_BYTES: Final = 20
_TEXT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{27})")
"""What `web.link_repair` finds in a link that a mail program has changed."""
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")


class Sealer:
    """Seals octets for one purpose. A text that was sealed for another purpose cannot be opened."""

    def __init__(self, secrets: Sequence[str], purpose: str) -> None:
        """Seal with the first of `secrets`, the newest. Texts of all of them can be opened."""
        self._keys = tuple(_Key(secret.encode(), purpose) for secret in secrets)

    def close(self, content: bytes) -> str:
        """Return the text: letters, digits, `-`, `_` and one `.`; a third longer than `content`, and 28 characters."""
        return self._keys[0].close(content)

    def open(self, text: str) -> bytes:
        """Return the content of a text. Raises TokenError for any other string."""
        found = _TEXT.fullmatch(text)
        if found is not None:
            masked, mac = _octets(found[1]), _octets(found[2])
            # Base64 has several texts for the same octets; only ours counts, so that no character can be changed.
            if masked is not None and mac is not None and f"{_base64(masked)}.{_base64(mac)}" == text:
                for key in self._keys:
                    content = key.open(masked, mac)
                    if content is not None:
                        return content
        raise TokenError("the link is incomplete or was changed")


class _Key:
    def __init__(self, secret: bytes, purpose: str) -> None:
        self._mac = hashlib.blake2b(key=_derived(secret, f"{purpose}.mac"), digest_size=_MAC_BYTES)
        self._pad = hashlib.shake_256(_derived(secret, f"{purpose}.pad"))

    def close(self, content: bytes) -> str:
        mac = self._digest(content)
        return f"{_base64(self._masked(mac, content))}.{_base64(mac)}"

    def open(self, masked: bytes, mac: bytes) -> bytes | None:
        content = self._masked(mac, masked)
        return content if hmac.compare_digest(self._digest(content), mac) else None

    def _digest(self, content: bytes) -> bytes:
        state = self._mac.copy()
        state.update(content)
        return state.digest()

    def _masked(self, mac: bytes, content: bytes) -> bytes:
        state = self._pad.copy()
        state.update(mac)
        pad = state.digest(len(content))
        return (int.from_bytes(pad) ^ int.from_bytes(content)).to_bytes(len(content))


def _derived(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, purpose.encode(), hashlib.sha256)


def _base64(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).translate(_TO_URL, b"=").decode()


def _octets(text: str) -> bytes | None:
    try:
        return binascii.a2b_base64(text.encode().translate(_FROM_URL) + b"=" * (-len(text) % 4))
    except binascii.Error:
        return None
