"""DKIM signatures (RFC 6376, 8301, 8463), relaxed/simple, for many messages that are mostly the same. Pure.

The content that the messages of a segment share is canonicalized and hashed once. For each message, only the rest is
hashed, and the hash is signed: 0.3 ms with RSA-2048, 0.1 ms with Ed25519.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_FEWEST_BITS: Final = 2048
_MOST_BITS: Final = 4096
"""Verifiers need not accept longer keys (RFC 8301 section 3.2)."""
_LONGEST_STRING: Final = 255
_LINE: Final = 74
_ALWAYS: Final = ("Cc", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post")
"""Signed even if absent, so that adding one breaks the signature."""
_LABELS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*")


class Algorithm(StrEnum):
    """The key type: `a=rsa-sha256` or `a=ed25519-sha256` in signatures, `k=rsa` or `k=ed25519` in the DNS record."""

    RSA = "rsa"
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsRecord:
    """The TXT record with the public key (RFC 6376 section 3.6)."""

    name: str
    value: str

    def zone_line(self) -> str:
        """Return the record in zone file format: strings of at most 255 octets (RFC 1035 section 3.3.14)."""
        pieces = [self.value[at : at + _LONGEST_STRING] for at in range(0, len(self.value), _LONGEST_STRING)]
        strings = " ".join(f'"{piece}"' for piece in pieces)
        return f"{self.name}. IN TXT ( {strings} )"


class Signer:
    """A private key with its domain and selector."""

    def __init__(self, *, domain: str, selector: str, pem: bytes) -> None:
        """Read a private key, PEM without a password (PKCS #8, or PKCS #1 for RSA).

        Raises ValueError for other files, for RSA keys below 2048 bits (RFC 8301 section 3.2) or above 4096, and for a
        domain or selector that is not a host name.
        """
        for what, name in (("domain", domain), ("selector", selector)):
            if not _LABELS.fullmatch(name):
                raise ValueError(f"the {what} {name!r} is not a host name")
        self.domain = domain.lower()
        self.selector = selector
        self.algorithm, self._key = _read(pem)
        if self.algorithm is Algorithm.RSA:
            from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
            from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
            from cryptography.hazmat.primitives.hashes import SHA256

            self._scheme: tuple[PKCS1v15, Prehashed] | tuple[()] = (PKCS1v15(), Prehashed(SHA256()))
        else:
            self._scheme = ()  # RFC 8463 section 3: PureEdDSA over the SHA-256 of the headers

    def sign(self, digest: bytes) -> bytes:
        """Return the signature of the SHA-256 `digest`: as many octets as the RSA modulus, or 64."""
        return self._key.sign(digest, *self._scheme)

    def record(self) -> DnsRecord:
        """Return the DNS record with the public key."""
        from cryptography.hazmat.primitives import serialization as forms

        public = self._key.public_key()
        if self.algorithm is Algorithm.RSA:
            octets = public.public_bytes(forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo)
        else:
            octets = public.public_bytes(forms.Encoding.Raw, forms.PublicFormat.Raw)  # RFC 8463 section 4
        return DnsRecord(
            name=f"{self.selector}._domainkey.{self.domain}", value=f"v=DKIM1; k={self.algorithm}; p={_base64(octets)}"
        )


def generate(algorithm: Algorithm, *, bits: int = _FEWEST_BITS) -> bytes:
    """Return a new private key as PEM (PKCS #8, no password). `bits` only applies to RSA."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    key: RSAPrivateKey | Ed25519PrivateKey
    if algorithm is Algorithm.RSA:
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())


class SegmentSigner:
    """Signs the messages of one segment. The content that they share is hashed once, at construction."""

    def __init__(
        self, signers: Sequence[Signer], *, shared: bytes, own_names: Sequence[str], body_start: bytes
    ) -> None:
        """Hash the content that all messages share.

        `shared` is the header fields of all messages, each with its CRLF. `own_names` is the names of the fields that
        differ, in order. `body_start` is the octets that start every body, after the empty line. Raises ValueError if a
        field name occurs twice.
        """
        names = [*field_names(shared), *own_names]
        if len({name.lower() for name in names}) != len(names):
            raise ValueError("a header field occurs twice")
        # Oversigned (RFC 6376 section 8.15): each name is listed once more than it occurs, so adding one is detected.
        absent = [name for name in _ALWAYS if name.lower() not in {known.lower() for known in names}]
        listed = _folded_list([*names, *names, *absent])
        self._headers = hashlib.sha256(relaxed(shared))
        self._body = hashlib.sha256(body_start)
        self._signers = [(signer, *_signature_start(signer, listed)) for signer in signers]

    def sign(self, own: bytes, body_rest: bytes, at: datetime) -> bytes:
        """Return the DKIM-Signature fields of a message, one for each key. They go before all other fields.

        `own` is the fields that differ, in the order of `own_names` and in relaxed form. `body_rest` is the body after
        the shared start. It ends in exactly one CRLF, so simple canonicalization (RFC 6376 section 3.4.3) changes
        nothing. `at` is aware.
        """
        body = self._body.copy()
        body.update(body_rest)
        headers = self._headers.copy()
        headers.update(own)
        tail = f"t={int(at.timestamp())}; bh={_base64(body.digest())};"
        fields = []
        for signer, field, canonical in self._signers:
            hashed = headers.copy()
            hashed.update(f"{canonical}{tail} b=".encode())
            signature = _base64(signer.sign(hashed.digest()))
            folded = "\r\n ".join(signature[start : start + _LINE] for start in range(0, len(signature), _LINE))
            fields.append(f"{field}{tail}\r\n b={folded}\r\n")
        return "".join(fields).encode()


_FOLD = re.compile(rb"\r\n(?=[ \t])")
_BLANKS = re.compile(rb"[ \t]+")


def relaxed(fields: bytes) -> bytes:
    """Return header fields, each with its CRLF, in relaxed canonical form (RFC 6376 section 3.4.2)."""
    canonical = []
    for line in _FOLD.sub(b"", fields).split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        canonical.append(name.strip(b" \t").lower() + b":" + _BLANKS.sub(b" ", value).strip(b" "))
    return b"".join(field + b"\r\n" for field in canonical)


def field_names(fields: bytes) -> list[str]:
    """Return the names of header fields, each with its CRLF, in their original case."""
    lines = _FOLD.sub(b"", fields).split(b"\r\n")[:-1]
    return [line.partition(b":")[0].decode("ascii") for line in lines]


def _signature_start(signer: Signer, listed: str) -> tuple[str, str]:
    """Return the part of a DKIM-Signature that all messages share: as sent, and in canonical form."""
    tags = (
        f"v=1; a={signer.algorithm}-sha256; c=relaxed/simple; d={signer.domain};\r\n s={signer.selector};"
        f" h={listed};\r\n "
    )
    return f"DKIM-Signature: {tags}", "dkim-signature:" + tags.replace("\r\n ", " ")


def _folded_list(names: Sequence[str]) -> str:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > _LINE - 20 * (len(lines) == 1):
            lines.append("")
        lines[-1] += f"{name}:"
    return "\r\n ".join(lines).removesuffix(":")


def _read(pem: bytes) -> tuple[Algorithm, RSAPrivateKey | Ed25519PrivateKey]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ValueError("the key is protected by a password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("not a private key in PEM form") from error
    if isinstance(key, Ed25519PrivateKey):
        return Algorithm.ED25519, key
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA or Ed25519 key")  # noqa: TRY004 - the value of a file, not a type in the program
    if not _FEWEST_BITS <= key.key_size <= _MOST_BITS:
        raise ValueError(f"an RSA key of {key.key_size} bits; {_FEWEST_BITS} to {_MOST_BITS} are allowed")
    return Algorithm.RSA, key


def _base64(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode()
