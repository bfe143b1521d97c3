"""DKIM: whether the DNS has our public keys (RFC 6376 section 3.6.1). Pure, with lookups as an argument."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from digestmail.doctor.dns import Dns
from digestmail.doctor.findings import ProbeFinding, fail, ok, warn
from digestmail.doctor.tags import parse_tags

PROBE = "dkim"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKey:
    """A key that we sign with, as it has to be in the DNS."""

    name: str
    """`SELECTOR._domainkey.DOMAIN`."""
    domain: str
    value: str
    zone_line: str


def probe_dkim(dns: Dns, keys: tuple[PublishedKey, ...]) -> Iterator[ProbeFinding]:
    """Yield a finding for each key."""
    if not keys:
        yield warn(
            PROBE,
            "digestmail does not sign, so your mail server has to",
            "set [mail.dkim], or use --send-to to see whether a signature arrives",
        )
    for key in keys:
        found = dns.look_up(key.name, "TXT")
        if found.problem:
            yield warn(PROBE, f"{key.name} cannot be looked up: {found.problem}", "try again, or use --resolver")
        elif not found.values:
            yield _missing(dns, key)
        else:
            yield judge_key(key, found.values)


def judge_key(key: PublishedKey, texts: tuple[str, ...]) -> ProbeFinding:
    """Return whether verifiers find our key in the TXT records of its name."""
    publish = f"replace it by: {key.zone_line}"
    if len(texts) > 1:
        return fail(PROBE, f"{key.name} has {len(texts)} TXT records, of which verifiers use any", "keep only ours")
    text = texts[0]
    tags, ours = parse_tags(text), parse_tags(key.value) or {}
    if tags is None or "p" not in tags:
        hint = " (it contains backslashes)" if "\\" in text else " (it contains quotation marks)" if '"' in text else ""
        return fail(PROBE, f"{key.name} is not a key record{hint}", publish)
    if problem := _other_key(tags, ours):
        return fail(PROBE, f"{key.name} {problem}", publish)
    return _flags(key, tags)


def _other_key(tags: dict[str, str], ours: dict[str, str]) -> str:
    """Return why a record is not that of our key; empty if it is."""
    if "v" in tags and (tags["v"] != "DKIM1" or next(iter(tags)) != "v"):
        return "does not begin with v=DKIM1"
    if not tags["p"]:
        return "is revoked: its p= is empty"
    if tags.get("k", "rsa") != ours["k"]:
        return f"is a key for {tags.get('k', 'rsa')}, but we sign with {ours['k']}"
    return "" if re.sub(r"\s", "", tags["p"]) == ours["p"] else "is another key than the one we sign with"


def _flags(key: PublishedKey, tags: dict[str, str]) -> ProbeFinding:
    """Judge the optional tags of the right key."""
    hashes = re.split(r"\s*:\s*", tags.get("h", "sha256"))
    services = re.split(r"\s*:\s*", tags.get("s", "*"))
    flags = re.split(r"\s*:\s*", tags.get("t", ""))
    if "sha256" not in hashes:
        return fail(PROBE, f"{key.name} allows only h={tags['h']}, but signatures use sha256", "remove h=")
    if not {"*", "email"} & set(services):
        return fail(PROBE, f"{key.name} is for other services than email: s={tags['s']}", "remove s=")
    if "y" in flags:
        return warn(PROBE, f"{key.name} is in test mode, so verifiers may ignore it", "remove t=y")
    return ok(PROBE, f"{key.name} is our {tags.get('k', 'rsa')} key")


def _missing(dns: Dns, key: PublishedKey) -> ProbeFinding:
    """Return the finding for a name without records. Many forms append the domain to a name that has it already."""
    doubled = f"{key.name}.{key.domain}"
    if dns.look_up(doubled, "TXT").values:
        return fail(
            PROBE,
            f"the record is at {doubled}: the form appends the domain",
            f"enter the name as {key.name.removesuffix('.' + key.domain)}",
        )
    return fail(PROBE, f"{key.name} has no TXT record", f"publish: {key.zone_line}")
