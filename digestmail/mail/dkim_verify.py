"""Verify DKIM signatures of ours on a message that came back (RFC 6376 section 6.1), relaxed/simple only. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from digestmail.mail.dkim import Signer, relaxed

_FIELD = re.compile(rb"[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*")
_TAG = re.compile(r"\s*([a-z]+)\s*=\s*([^;]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimResult:
    """Whether a signature of ours is intact."""

    domain: str
    selector: str
    problem: str = ""
    """What breaks it; empty if nothing does."""


def verify_ours(message: bytes, signers: Sequence[Signer]) -> tuple[DkimResult, ...]:
    """Return the result for each signature by one of `signers`. Line ends may be those of files."""
    normal = re.sub(rb"\r?\n", b"\r\n", message)
    head, _, body = normal.partition(b"\r\n\r\n")
    fields = [found[0] for found in _FIELD.finditer(head + b"\r\n")]
    results = []
    for field in fields:
        name, _, value = field.partition(b":")
        if name.strip().lower() != b"dkim-signature":
            continue
        tags = {found[1]: found[2].strip() for found in _TAG.finditer(value.decode("latin-1"))}
        for signer in signers:
            if (tags.get("d"), tags.get("s")) == (signer.domain, signer.selector):
                problem = _problem(signer, field, tags, fields, body)
                results.append(DkimResult(domain=signer.domain, selector=signer.selector, problem=problem))
    return tuple(results)


def _problem(signer: Signer, field: bytes, tags: dict[str, str], fields: list[bytes], body: bytes) -> str:
    canonical = re.sub(rb"(?:\r\n)*\Z", b"", body) + b"\r\n"
    if base64.b64encode(hashlib.sha256(canonical).digest()).decode() != re.sub(r"\s", "", tags.get("bh", "")):
        return "the body was changed on the way"
    unsigned = re.sub(rb"(;\s*b\s*=)[^;]*", rb"\1", relaxed(field)).removesuffix(b"\r\n")
    signed = b"".join(_selected(fields, tags.get("h", ""))) + unsigned
    try:
        signature = base64.b64decode(re.sub(r"\s", "", tags.get("b", "")), validate=True)
    except binascii.Error:
        return "the signature is damaged"
    # PKCS #1 v1.5 and Ed25519 always give the same signature, so signing again is enough.
    intact = signer.sign(hashlib.sha256(signed).digest()) == signature
    return "" if intact else "signed headers were changed on the way"


def _selected(fields: list[bytes], listed: str) -> list[bytes]:
    """Return the signed fields in relaxed form: of each name, from the last one up (section 5.4.2)."""
    left: dict[str, list[bytes]] = {}
    for field in fields:
        left.setdefault(field.partition(b":")[0].strip().lower().decode("latin-1"), []).append(field)
    names = [name.strip().lower() for name in listed.split(":")]
    return [relaxed(left[name].pop()) for name in names if left.get(name)]
