"""SPF records (RFC 7208): their terms, and what all of them together allow. Pure, with lookups as an argument."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from digestmail.doctor.dns import Dns

MOST_LOOKUPS: Final = 10
"""Terms that cause DNS queries, in all records together (section 4.6.4)."""
LOOK_UP: Final = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
_TERM = re.compile(
    r"([+?~-]?)([a-z][a-z0-9_.-]*)(?:([:=])([^/\s]*(?:/(?![\d/])[^/\s]*)*))?((?:/\d{1,3})?(?://\d{1,3})?)",
    re.IGNORECASE,
)
_MECHANISMS: Final = frozenset({"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"})
_NEEDS_DOMAIN: Final = frozenset({"include", "exists", "redirect"})


class SpfError(ValueError):
    """A record cannot be evaluated (permerror, section 2.6.7). The text is a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A mechanism or modifier."""

    name: str
    qualifier: str = "+"
    domain: str = ""
    """As written, with macros; empty: the domain of the record."""
    four: int = 32
    """Bits of IPv4 addresses that count."""
    six: int = 128
    network: IPv4Network | IPv6Network | None = None
    """Of ip4 and ip6."""


def spf_records(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the SPF records among the TXT records of a domain (section 4.5)."""
    return tuple(text for text in texts if re.match(r"v=spf1(?: |$)", text, re.IGNORECASE))


def parse_spf(record: str) -> tuple[Term, ...]:
    """Return the terms of a record: mechanisms in order, and `redirect`. Raises SpfError."""
    terms = [_parse(word) for word in record.split()[1:]]
    redirects = [term for term in terms if term.name == "redirect"]
    if len(redirects) > 1:
        raise SpfError("the record has more than one redirect")
    return tuple(term for term in terms if term.name in _MECHANISMS or term.name == "redirect")


def _parse(word: str) -> Term:
    found = _TERM.fullmatch(word)
    if found is None:
        if re.match(r"[+?~-]?ip[46]:", word, re.IGNORECASE):
            return _network(word)
        raise SpfError(f"{word!r} is not a term of SPF")
    qualifier, name, sign, domain, bits = found[1], found[2].lower(), found[3], found[4] or "", found[5]
    if sign == "=":
        if qualifier or name in _MECHANISMS or (name == "redirect" and not domain):
            raise SpfError(f"{word!r} is not a term of SPF")
        return Term(name=name, domain=domain)  # unknown modifiers are ignored (section 6)
    if name in {"ip4", "ip6"}:
        return _network(word)
    if name not in _MECHANISMS:
        raise SpfError(f"{word!r} is an unknown mechanism")
    if not domain and (sign or name in _NEEDS_DOMAIN):
        raise SpfError(f"{word!r} needs a domain")
    if domain and name == "all":
        raise SpfError(f"{word!r} cannot have a domain")
    if bits and name not in {"a", "mx"}:
        raise SpfError(f"{word!r} cannot have a prefix length")
    four, six = _bits(word, bits)
    return Term(name=name, qualifier=qualifier or "+", domain=domain, four=four, six=six)


def _bits(word: str, bits: str) -> tuple[int, int]:
    four, _, six = bits.partition("//")
    lengths = (int(four.strip("/") or 32), int(six or 128))
    if lengths[0] > 32 or lengths[1] > 128:  # noqa: PLR2004 - bits of an address
        raise SpfError(f"{word!r} has a wrong prefix length")
    return lengths


def _network(word: str) -> Term:
    bare = word.lstrip("+?~-")
    name, _, text = bare.partition(":")
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise SpfError(f"{word!r} is not a network") from error
    if network.version != int(name[-1]):
        raise SpfError(f"{word!r} is not a network of IPv{name[-1]}")
    qualifier = word[: len(word) - len(bare)]
    return Term(name=name.lower(), qualifier=qualifier or "+", network=network)


@dataclass(slots=True, kw_only=True)
class Survey:
    """What the record of a domain and the records that it includes contain, for any sender."""

    record: str = ""
    lookups: int = 0
    includes: list[str] = field(default_factory=list)
    """Domains that are included or redirected to, at any depth."""
    open_to_all: list[str] = field(default_factory=list)
    """Domains whose records allow every server of the Internet."""
    uses_ptr: bool = False
    ends: str = ""
    """The qualifier of the last `all` that applies; empty if there is none."""
    problems: list[str] = field(default_factory=list)
    """Why receivers cannot evaluate it (permerror)."""
    unknown: list[str] = field(default_factory=list)
    """Lookups that failed for now."""


def survey(dns: Dns, domain: str) -> Survey:
    """Return what the records of `domain` allow. More lookups are counted than some senders cause."""
    found = Survey()
    _visit(dns, domain, found, ())
    return found


def _visit(dns: Dns, domain: str, found: Survey, above: tuple[str, ...]) -> None:
    if domain in above:
        found.problems.append(f"the record of {domain} includes itself")
        return
    answer = dns.look_up(domain, "TXT")
    if answer.problem:
        found.unknown.append(f"{domain}: {answer.problem}")
        return
    records = spf_records(answer.values)
    if len(records) != 1:
        if above or records:
            what = f"{len(records)} SPF records" if records else "no SPF record"
            found.problems.append(f"{domain} has {what}")
        return
    try:
        terms = parse_spf(records[0])
    except SpfError as error:
        found.problems.append(f"{domain}: {error}")
        return
    if not above:
        found.record = records[0]
    _count(dns, domain, terms, found, above)


def _count(dns: Dns, domain: str, terms: tuple[Term, ...], found: Survey, above: tuple[str, ...]) -> None:
    ends = next((term.qualifier for term in terms if term.name == "all"), "")
    applies = not above or found.ends == "redirect"
    if applies:
        found.ends = ends
    for term in terms:
        if term.name == "all":
            break  # mechanisms after it are never tested (section 5.1)
        found.lookups += term.name in LOOK_UP and term.name != "redirect"
        found.uses_ptr |= term.name == "ptr"
        if term.name in {"ip4", "ip6"} and term.qualifier == "+" and term.network and term.network.prefixlen < 4:  # noqa: PLR2004 - most of the Internet
            found.open_to_all.append(domain)
        if term.name == "include" and found.lookups <= MOST_LOOKUPS and "%" not in term.domain:
            found.includes.append(term.domain.lower())
            _visit(dns, term.domain.lower(), found, (*above, domain))
    if ends == "+":
        found.open_to_all.append(domain)
    redirect = next((term for term in terms if term.name == "redirect"), None)
    if redirect is not None and not ends and "%" not in redirect.domain:
        found.lookups += 1
        found.includes.append(redirect.domain.lower())
        if applies:
            found.ends = "redirect"
        if found.lookups <= MOST_LOOKUPS:
            _visit(dns, redirect.domain.lower(), found, (*above, domain))
