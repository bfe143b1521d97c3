"""MTA-STS and TLS-RPT: records about email that a domain receives. Pure, with lookups as an argument.

They change nothing about emails that we send, so nothing here is a failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from digestmail.doctor.dns import Dns
from digestmail.doctor.findings import ProbeFinding, ok, skip, warn
from digestmail.doctor.tags import parse_tags

MTA_STS, TLS_RPT = "mta-sts", "tls-rpt"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    probe: str
    prefix: str
    version: str
    purpose: str
    """What it is for, after "with it, "."""
    tag: str
    pattern: re.Pattern[str]
    example: str


_KINDS: Final = (
    # RFC 8461 section 3.1. The policy itself is a file on the web.
    _Kind(
        probe=MTA_STS,
        prefix="_mta-sts",
        version="STSv1",
        purpose="servers that bring you bounces and replies insist on an encrypted connection to your own mail server",
        tag="id",
        pattern=re.compile(r"[A-Za-z0-9]{1,32}"),
        example="v=STSv1; id=20260401",
    ),
    # RFC 8460 section 3.
    _Kind(
        probe=TLS_RPT,
        prefix="_smtp._tls",
        version="TLSRPTv1",
        purpose="servers that bring you bounces and replies report daily where encryption failed",
        tag="rua",
        pattern=re.compile(r"(mailto:|https://)[^\s,]+(\s*,\s*(mailto:|https://)[^\s,]+)*"),
        example="v=TLSRPTv1; rua=mailto:you@example.org",
    ),
)


def probe_receiving(dns: Dns, domain: str) -> Iterator[ProbeFinding]:
    """Yield whether servers that bring email to `domain` find both records, and what these are for."""
    for kind in _KINDS:
        yield _judge(dns, domain, kind)


def _judge(dns: Dns, domain: str, kind: _Kind) -> ProbeFinding:
    name = f"{kind.prefix}.{domain}"
    found = dns.look_up(name, "TXT")
    if found.problem:
        return skip(kind.probe, f"{name} cannot be looked up: {found.problem}")
    # Other records at the name do not count.
    records = [text for text in found.values if re.match(rf"v={kind.version}\s*(;|$)", text)]
    if not records:
        return ok(kind.probe, f"{name} has no record, which is optional: with it, {kind.purpose}")
    if len(records) > 1:
        return warn(kind.probe, f"{name} has {len(records)} records, so none of them counts", "keep one of them")
    value = (parse_tags(records[0]) or {}).get(kind.tag, "")
    if not kind.pattern.fullmatch(value):
        why = f"{name} has no valid {kind.tag}=, so it does not count"
        return warn(kind.probe, why, f"write it like {kind.example}, or remove it")
    return ok(kind.probe, f"{name} is set: {kind.purpose}")
