"""dkimpy as the independent verifier of our signatures.

It canonicalises and checks everything itself; only the Ed25519 primitive, for which it asks PyNaCl, comes from
`cryptography`, which is here anyway.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from email import message_from_bytes
from types import ModuleType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class _BadSignatureError(Exception):
    """As in nacl.exceptions."""


class _VerifyKey:
    """As nacl.signing.VerifyKey, with the one encoder dkimpy asks for."""

    def __init__(self, key: bytes, *, encoder: object) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))

    def verify(self, message: bytes, signature: bytes) -> bytes:
        try:
            self._key.verify(signature, message)
        except InvalidSignature as error:
            raise _BadSignatureError from error
        return message


def _install() -> None:
    nacl, signing, encoding, exceptions = (
        ModuleType(name) for name in ("nacl", "nacl.signing", "nacl.encoding", "nacl.exceptions")
    )
    parts = {"signing": signing, "encoding": encoding, "exceptions": exceptions}
    signing.VerifyKey = _VerifyKey
    encoding.Base64Encoder = object()
    exceptions.BadSignatureError, exceptions.ValueError = _BadSignatureError, ValueError
    for name, part in parts.items():
        setattr(nacl, name, part)
        sys.modules.setdefault(f"nacl.{name}", part)
    sys.modules.setdefault("nacl", nacl)


try:
    import nacl  # noqa: F401 - the real one, where it is installed
except ImportError:
    _install()

import dkim  # noqa: E402 - it looks for nacl when it is imported


def verifies(message: bytes, records: Mapping[str, str]) -> list[bool]:
    """Return whether each signature of `message` is valid; `records` are the TXT records by name."""

    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        found = records.get(name.decode().rstrip("."))
        return found.encode() if found is not None else None

    count = len(message_from_bytes(message).get_all("DKIM-Signature", []))
    return [_verifies(message, index, look_up) for index in range(count)]


def _verifies(message: bytes, index: int, look_up) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(idx=index, dnsfunc=look_up))
    except dkim.DKIMException:
        return False
