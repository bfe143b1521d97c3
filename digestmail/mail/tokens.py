"""Signed tokens for links, return paths and Message-IDs. Pure.

All keys are derived from one secret. Each purpose has its own key, so that a token is not valid for another purpose.
Several are created for every message, in a few microseconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from digestmail.errors import TokenError
from digestmail.mail.sealing import Sealer

_MAC_BYTES = 10
"""80 bits are enough, because a token can only be tested with our server, one email at a time."""
_EDITION_BYTES = 4
_SUBSCRIBER_BYTES = 6
_IDS_BYTES = _EDITION_BYTES + _SUBSCRIBER_BYTES
_SEALED = re.compile(r"[0-9a-f]{40}")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9-]+\.[A-Za-z0-9-]+\.([0-9a-f]{40})@[^@<>\s]+>")
_ID_BYTES = 8


class _Seal:
    """Encrypts ten octets as 40 hexadecimal digits that only this key can read (a synthetic IV, as in RFC 5297).

    The same octets always give the same text, which does not reveal them, so that recipients cannot count ids. It is
    lower-case, because some servers change the case of a local part.
    """

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._mac = hashlib.blake2b(
            key=hmac.digest(secret, f"{purpose}.mac".encode(), hashlib.sha256), digest_size=_MAC_BYTES
        )
        self._pad = hashlib.blake2b(
            key=hmac.digest(secret, f"{purpose}.pad".encode(), hashlib.sha256), digest_size=_IDS_BYTES
        )

    def close(self, content: bytes) -> str:
        mac = self._digest(self._mac, content)
        return (mac + self._masked(mac, content)).hex()

    def open(self, text: str) -> bytes:
        if not _SEALED.fullmatch(text):
            raise TokenError("this token is not valid")
        sealed = bytes.fromhex(text)
        mac, content = sealed[:_MAC_BYTES], self._masked(sealed[:_MAC_BYTES], sealed[_MAC_BYTES:])
        if not hmac.compare_digest(self._digest(self._mac, content), mac):
            raise TokenError("this token is not valid or belongs to another installation")
        return content

    def _masked(self, mac: bytes, content: bytes) -> bytes:
        pad = int.from_bytes(self._digest(self._pad, mac))
        return (pad ^ int.from_bytes(content)).to_bytes(_IDS_BYTES)

    @staticmethod
    def _digest(keyed: hashlib.blake2b, content: bytes) -> bytes:
        state = keyed.copy()
        state.update(content)
        return state.digest()


class Tokens:
    """Creates and verifies signed tokens."""

    def __init__(self, secret: str, *earlier: str) -> None:
        """Sign with `secret`, the newest key. Tokens of `earlier` keys (newest first) are still accepted.

        Raises ValueError if a key is empty.
        """
        ring = (secret, *earlier)
        if not all(ring):
            raise ValueError("the signing secret is empty")
        self._unsubscribe = Sealer(ring, "digestmail.unsubscribe")
        self._feed = Sealer(ring, "digestmail.feed")
        self._verp = tuple(_Seal(one.encode(), "digestmail.verp") for one in ring)
        self._mailto = tuple(_Seal(one.encode(), "digestmail.leave") for one in ring)
        # Message-IDs use the oldest key, so that a retry after a rotation has the same Message-ID.
        self._message_id = tuple(_Seal(one.encode(), "digestmail.message-id") for one in reversed(ring))

    def unsubscribe(self, subscriber_id: int, digest: str) -> str:
        """Return the token that unsubscribes `subscriber_id` from `digest`: letters, digits, `-`, `_` and `.`.

        It has about 50 characters, and does not reveal the id, so that recipients cannot count subscribers. It never
        expires, because people unsubscribe from emails that are years old. Raises OverflowError for an id of more than
        8 octets.
        """
        return self._unsubscribe.close(subscriber_id.to_bytes(_ID_BYTES) + digest.encode())

    def read_unsubscribe(self, token: str) -> tuple[int, str]:
        """Return (subscriber id, digest) of an unsubscribe token. Raises TokenError for any other string."""
        content = self._unsubscribe.open(token)
        return int.from_bytes(content[:_ID_BYTES]), content[_ID_BYTES:].decode()

    def feed(self, subscriber_id: int, since: datetime) -> str:
        """Return the token of a subscriber's own feed, which can only be read with it.

        `since` is when they subscribed: who leaves and subscribes again gets another token. It does not expire
        otherwise, because feed readers keep the address.
        """
        return self._feed.close(subscriber_id.to_bytes(_ID_BYTES) + int(since.timestamp()).to_bytes(_ID_BYTES))

    def read_feed(self, token: str) -> tuple[int, int]:
        """Return (subscriber id, since when they are subscribed, in seconds since 1970).

        Raises TokenError for any other string.
        """
        content = self._feed.open(token)
        return int.from_bytes(content[:_ID_BYTES]), int.from_bytes(content[_ID_BYTES:])

    def verp(self, edition_id: int, subscriber_id: int) -> str:
        """Return the token of a return path `bounce+TOKEN@domain`: 40 lower-case hexadecimal digits.

        With its prefix, the local part has fewer than 64 octets (RFC 5321 section 4.5.3.1.1). The `edition_id` of
        notices is 0. Raises OverflowError for ids of more than 4 and 6 octets.
        """
        return self._verp[0].close(_ids(edition_id, subscriber_id))

    def read_verp(self, token: str) -> tuple[int, int]:
        """Return (edition id, subscriber id) of a return path's token, in any case.

        Raises TokenError if it is invalid.
        """
        content = _opened(self._verp, token.lower())
        return int.from_bytes(content[:_EDITION_BYTES]), int.from_bytes(content[_EDITION_BYTES:])

    def mailto_token(self, subscriber_id: int, digest: str) -> str:
        """Return the token of an unsubscribe address `bounce+TOKEN@domain`: 40 lower-case hexadecimal digits.

        It has its own key, so that it is never confused with a return path. It does not expire. An empty `digest` means
        all digests.
        """
        return self._mailto[0].close(_ids(digest_number(digest), subscriber_id))

    def read_mailto_token(self, token: str) -> tuple[int, int]:
        """Return (subscriber id, `digest_number`) of an unsubscribe address's token, in any case.

        Raises TokenError if it is invalid.
        """
        content = _opened(self._mailto, token.lower())
        return int.from_bytes(content[_EDITION_BYTES:]), int.from_bytes(content[:_EDITION_BYTES])

    def message_id(self, digest: str, slot: str, subscriber_id: int, domain: str) -> str:
        """Return the Message-ID of a delivery, `<digest.slot.SEAL@domain>` (RFC 5322 section 3.6.4).

        All attempts of a delivery have the same Message-ID, so that mailboxes can recognize a resend. `slot` is a
        slot's key. Raises OverflowError for a subscriber id of more than 6 octets.
        """
        sealed = self._message_id[0].close(_ids(_edition_number(digest, slot), subscriber_id))
        return f"<{_atom(digest)}.{_atom(slot)}.{sealed}@{domain}>"

    def read_message_id(self, message_id: str) -> int:
        """Return the subscriber id in a Message-ID with angle brackets. Raises TokenError if it is invalid."""
        found = _MESSAGE_ID.fullmatch(message_id.strip())
        if found is None:
            raise TokenError("this Message-ID is not valid")
        return int.from_bytes(_opened(self._message_id, found[1])[_EDITION_BYTES:])


def _opened(seals: Sequence[_Seal], text: str) -> bytes:
    """Decrypt `text` with the first of `seals` that can. Raises TokenError if none can."""
    for seal in seals[:-1]:
        with contextlib.suppress(TokenError):
            return seal.open(text)
    return seals[-1].open(text)


def _ids(edition: int, subscriber: int) -> bytes:
    return edition.to_bytes(_EDITION_BYTES) + subscriber.to_bytes(_SUBSCRIBER_BYTES)


@lru_cache(maxsize=256)
def digest_number(name: str) -> int:
    """Return the number of a digest in unsubscribe addresses: 4 octets of a hash, 0 for an empty name."""
    if not name:
        return 0
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=_EDITION_BYTES, person=b"digest").digest()) or 1


@lru_cache(maxsize=256)
def _edition_number(digest: str, slot: str) -> int:
    """Return a number that distinguishes the Message-IDs of editions with the same atoms."""
    return int.from_bytes(hashlib.blake2b(f"{digest}\n{slot}".encode(), digest_size=_EDITION_BYTES).digest())


@lru_cache(maxsize=256)
def _atom(text: str) -> str:
    """Return `text` with all characters except letters, digits and hyphens replaced with hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "x"
