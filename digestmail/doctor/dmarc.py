"""DMARC (RFC 9989): which policy applies, and whether SPF and DKIM are aligned. Pure, with lookups as an argument."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from digestmail.doctor.dns import Dns
from digestmail.doctor.findings import ProbeFinding, fail, ok, warn
from digestmail.doctor.tags import parse_tags

PROBE = "dmarc"
_MOST_LABELS: Final = 8
"""Longer names are cut to seven labels after the first query (section 4.10)."""
_POLICIES: Final = frozenset({"none", "quarantine", "reject"})
_SOFTER: Final = {"reject": "quarantine", "quarantine": "none", "none": "none"}
"""What applies in test mode (section 4.7, t)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcRecord:
    """A DMARC record."""

    domain: str
    """The domain below `_dmarc` that it is for."""
    tags: Mapping[str, str]

    def tag(self, name: str, default: str) -> str:
        """Return the value of a tag in lower case."""
        return self.tags.get(name, default).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What a DNS tree walk found."""

    start: str
    records: tuple[DmarcRecord, ...] = ()
    """From the longest name to the shortest."""
    ignored: tuple[str, ...] = ()
    """Domains with more than one record, which receivers ignore."""
    problems: tuple[str, ...] = ()
    """Lookups that failed for now."""

    def organizational(self) -> str:
        """Return the organizational domain (section 4.10.2)."""
        for record in self.records:
            if record.tag("psd", "u") == "n":
                return record.domain
            if record.tag("psd", "u") == "y" and record.domain != self.start:
                labels = self.start.split(".")
                return ".".join(labels[-(record.domain.count(".") + 2) :])
        return self.records[-1].domain if self.records else self.start

    def policy(self) -> DmarcRecord | None:
        """Return the record whose policy applies (section 4.10.1): the domain's, its organization's, or the PSD's."""
        by_domain = {record.domain: record for record in self.records}
        psd = next((record for record in self.records if record.tag("psd", "u") == "y"), None)
        return by_domain.get(self.start) or by_domain.get(self.organizational()) or psd


def names_to_query(domain: str) -> list[str]:
    """Return the domains that a tree walk asks for, the start first: eight at most."""
    labels = domain.split(".")
    first = len(labels) - _MOST_LABELS + 1 if len(labels) >= _MOST_LABELS else 1
    return [domain, *(".".join(labels[at:]) for at in range(first, len(labels)))]


def parse_dmarc(text: str) -> dict[str, str] | None:
    """Return the tags of a DMARC record; None if it is none. Parts that are not tags are ignored (section 4.7)."""
    version, _, rest = text.partition(";")
    if not re.fullmatch(r"\s*v\s*=\s*DMARC1\s*", version):
        return None
    found = {"v": "DMARC1"}
    for part in rest.split(";"):
        for name, value in (parse_tags(part) or {}).items():
            found.setdefault(name.lower(), value)
    return found


def walk(dns: Dns, domain: str) -> Walk:
    """Walk up the DNS tree from `domain` (section 4.10)."""
    records: list[DmarcRecord] = []
    ignored: list[str] = []
    problems: list[str] = []
    for name in names_to_query(domain):
        answer = dns.look_up(f"_dmarc.{name}", "TXT")
        if answer.problem:
            problems.append(f"_dmarc.{name}: {answer.problem}")
            continue
        found = [tags for text in answer.values if (tags := parse_dmarc(text)) is not None]
        if len(found) > 1:
            ignored.append(name)
        elif found:
            records.append(DmarcRecord(domain=name, tags=found[0]))
            if found[0].get("psd", "").lower() == "n" or (found[0].get("psd", "").lower() == "y" and name != domain):
                break
    return Walk(start=domain, records=tuple(records), ignored=tuple(ignored), problems=tuple(problems))


def is_aligned(dns: Dns, author: Walk, other: str, *, strict: bool) -> bool:
    """Return whether `other` is aligned with the domain of From (section 4.4)."""
    if other == author.start or strict:
        return other == author.start
    return walk(dns, other).organizational() == author.organizational()


def probe_dmarc(dns: Dns, author: str, envelope: str, signing: str | None) -> Iterator[ProbeFinding]:
    """Yield findings about the domain of From, with those of the envelope sender and of our signatures.

    `signing` is None if digestmail does not sign.
    """
    found = walk(dns, author)
    for name in found.ignored:
        yield fail(PROBE, f"_dmarc.{name} has more than one DMARC record, so receivers ignore them", "keep one of them")
    record = found.policy()
    if record is None:
        if found.problems:
            yield warn(PROBE, f"cannot be looked up: {found.problems[0]}", "try again, or use --resolver")
        elif not found.ignored:
            line = f'_dmarc.{author}. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@{author}"'
            yield fail(PROBE, f"{author} has no DMARC record, which Gmail and Yahoo require", f"publish: {line}")
        return
    yield _alignment(dns, found, record, envelope, signing)
    yield from _tags(found, record)


def _alignment(dns: Dns, found: Walk, record: DmarcRecord, envelope: str, signing: str | None) -> ProbeFinding:
    by_spf = is_aligned(dns, found, envelope, strict=record.tag("aspf", "r") == "s")
    by_dkim = signing is not None and is_aligned(dns, found, signing, strict=record.tag("adkim", "r") == "s")
    policy = f"p={effective_policy(found, record)} from _dmarc.{record.domain}"
    if by_dkim:
        also = " and SPF are" if by_spf else " is"
        return ok(PROBE, f"{policy}; DKIM{also} aligned with {found.start}")
    if by_spf:
        return warn(
            PROBE,
            f"{policy}; only SPF is aligned with {found.start}, and it fails when emails are forwarded",
            f"sign with a key of {found.start}" if signing is None else f"set [mail.dkim] domain to {found.start}",
        )
    others = " and ".join(filter(None, (envelope, signing)))
    return fail(
        PROBE,
        f"{policy}; neither SPF nor DKIM is aligned: {others} and {found.start} are not one organization",
        f"sign with a key of {found.start}, and set [mail.dkim] domain to it",
    )


def effective_policy(found: Walk, record: DmarcRecord) -> str:
    """Return the policy that receivers apply to an existing domain: p, or sp if the record is of a parent."""
    policy = record.tag("p", "none")
    if record.domain != found.start:
        policy = record.tag("sp", policy)
    policy = policy if policy in _POLICIES else "none"
    return _SOFTER[policy] if record.tag("t", "n") == "y" else policy


def _tags(found: Walk, record: DmarcRecord) -> Iterator[ProbeFinding]:
    """Yield findings about single tags of the record that applies."""
    where = f"_dmarc.{record.domain}"
    for name in ("p", "sp", "np"):
        if name in record.tags and record.tag(name, "") not in _POLICIES:
            yield fail(PROBE, f"{where}: {name}={record.tags[name]} is invalid", "use none, quarantine or reject")
    if record.tag("t", "n") == "y":
        yield warn(
            PROBE, f"{where}: t=y is test mode, so receivers apply a softer policy", "remove t=y when you are done"
        )
    if "pct" in record.tags:
        yield warn(PROBE, f"{where}: pct has no effect since RFC 9989", "remove it, and use t=y to test")
    if "rua" not in record.tags:
        yield warn(PROBE, f"{where}: without rua, no one reports failures to you", "add rua=mailto:ADDRESS")
    if record.domain != found.start and record.tag("np", "") in {"quarantine", "reject"} and "sp" not in record.tags:
        yield warn(
            PROBE,
            f"{where}: np={record.tag('np', '')} applies to {found.start} if that name has no records at all",
            f"give {found.start} a record, such as an A or MX record",
        )
