"""Whether SPF lets a server send for a domain: `check_host` of RFC 7208. Pure, with lookups as an argument."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import quote

from digestmail.doctor.dns import Dns, Kind, Records, reverse_name
from digestmail.doctor.spf_record import LOOK_UP, MOST_LOOKUPS, SpfError, Term, parse_spf, spf_records
from digestmail.text.addresses import split_address

_MOST_VOID: Final = 2
"""Lookups without an answer (section 4.6.4)."""
_MOST_NAMES: Final = 10
"""Names of an MX or PTR answer that are looked up."""
_MACRO = re.compile(r"%(?:\{([a-z])(\d{0,3})(r?)([.\-+,/_=]*)\}|(.))", re.IGNORECASE)


class SpfResult(StrEnum):
    """The results of section 2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - the name of a result
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


_RESULTS: Final = {"+": SpfResult.PASS, "-": SpfResult.FAIL, "~": SpfResult.SOFTFAIL, "?": SpfResult.NEUTRAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpfVerdict:
    """A result, and why."""

    result: SpfResult
    reason: str


def check_host(dns: Dns, address: str, sender: str, helo: str) -> SpfVerdict:
    """Return whether the server at the IP `address` may send from `sender` (an address), as receivers see it."""
    check = _Check(dns, ip_address(address), sender, helo)
    domain = split_address(sender)[1]
    try:
        result = check.host(domain)
    except SpfError as error:
        return SpfVerdict(result=SpfResult.PERMERROR, reason=str(error))
    except _TemporaryError as error:
        return SpfVerdict(result=SpfResult.TEMPERROR, reason=str(error))
    return SpfVerdict(result=result, reason=check.matched or f"the record of {domain} matches nothing")


class _TemporaryError(Exception):
    """A lookup failed for now."""


class _Check:
    def __init__(self, dns: Dns, address: IPv4Address | IPv6Address, sender: str, helo: str) -> None:
        self._dns = dns
        self._address = address
        self._sender = sender
        self._helo = helo
        self._lookups = 0
        self._void = 0
        self._nested = 0
        self.matched = ""

    def host(self, domain: str) -> SpfResult:
        """Return the result for `domain` (section 4). Raises SpfError and _TemporaryError."""
        records = spf_records(self._find(domain, "TXT").values)
        if not records:
            return SpfResult.NONE
        if len(records) > 1:
            raise SpfError(f"{domain} has {len(records)} SPF records")
        terms = parse_spf(records[0])
        for term in terms:
            if term.name == "all" or (term.name != "redirect" and self._matches(term, domain)):
                self.matched = f"{term.qualifier.replace('+', '')}{term.name} in the record of {domain}"
                return _RESULTS[term.qualifier]
        redirect = next((term for term in terms if term.name == "redirect"), None)
        if redirect is None:
            return SpfResult.NEUTRAL
        self._count()
        target = self._expand(redirect.domain, domain)
        result = self.host(target)
        if result is SpfResult.NONE:
            raise SpfError(f"{domain} redirects to {target}, which has no SPF record")
        return result

    def _count(self) -> None:
        self._lookups += 1
        if self._lookups > MOST_LOOKUPS:
            raise SpfError(f"more than {MOST_LOOKUPS} lookups are needed")

    def _find(self, name: str, kind: Kind, *, counts_void: bool = False) -> Records:
        found = self._dns.look_up(name, kind)
        if found.problem:
            raise _TemporaryError(f"{name}: {found.problem}")
        if counts_void and not found.values:
            self._void += 1
            if self._void > _MOST_VOID:
                raise SpfError(f"more than {_MOST_VOID} lookups have no answer, such as that of {name}")
        return found

    def _matches(self, term: Term, domain: str) -> bool:
        if term.name in LOOK_UP:
            self._count()
        target = self._expand(term.domain, domain) if term.domain else domain
        match term.name:
            case "ip4" | "ip6":
                return term.network is not None and self._address in term.network
            case "include":
                return self._included(target)
            case "a":
                return self._is_at(target, term)
            case "mx":
                return self._is_exchange(target, term)
            case "exists":
                return bool(self._find(target, "A", counts_void=True).values)
            case _:
                return self._is_named(target)

    def _included(self, target: str) -> bool:
        result = self.host(target)
        if result is SpfResult.NONE:
            raise SpfError(f"{target} is included but has no SPF record")
        return result is SpfResult.PASS

    def _is_at(self, name: str, term: Term) -> bool:
        is_four = isinstance(self._address, IPv4Address)
        found = self._find(name, "A" if is_four else "AAAA", counts_void=True)
        bits = term.four if is_four else term.six
        return any(self._address in ip_network(f"{one}/{bits}", strict=False) for one in found.values)

    def _is_exchange(self, name: str, term: Term) -> bool:
        names = [value.partition(" ")[2] for value in self._find(name, "MX", counts_void=True).values]
        if len(names) > _MOST_NAMES:
            raise SpfError(f"{name} has more than {_MOST_NAMES} MX records")
        return any(self._is_at(each, term) for each in names if each)

    def _is_named(self, domain: str) -> bool:
        """Return whether a name of the address is in `domain` (ptr, section 5.5)."""
        names = self._find(reverse_name(str(self._address)), "PTR", counts_void=True).values[:_MOST_NAMES]
        inside = [name for name in names if name == domain or name.endswith(f".{domain}")]
        return any(self._is_at(name, Term(name="a")) for name in inside)

    def _expand(self, text: str, domain: str) -> str:
        """Return a domain-spec with its macros replaced (section 7). Raises SpfError."""

        def replaced(found: re.Match[str]) -> str:
            if found[5]:
                if (plain := {"%": "%", "_": " ", "-": "%20"}.get(found[5])) is None:
                    raise SpfError(f"{text!r} has an invalid macro")
                return plain
            value = self._value(found[1].lower(), domain)
            parts = re.split(f"[{re.escape(found[4] or '.')}]", value)
            parts = parts[::-1] if found[3] else parts
            kept = ".".join(parts[-int(found[2]) :] if found[2] and int(found[2]) else parts)
            return quote(kept, safe="") if found[1].isupper() else kept

        return _MACRO.sub(replaced, text).rstrip(".").lower()

    def _value(self, letter: str, domain: str) -> str:
        local, sender_domain = split_address(self._sender)
        is_four = isinstance(self._address, IPv4Address)
        values = {
            "s": self._sender,
            "l": local,
            "o": sender_domain,
            "d": domain,
            "i": str(self._address) if is_four else ".".join(self._address.exploded.replace(":", "")),
            "p": "unknown",  # which section 7.2 allows, as looking it up is discouraged
            "h": self._helo,
            "v": "in-addr" if is_four else "ip6",
        }
        if letter not in values:
            raise SpfError(f"%{{{letter}}} is not a macro")
        return values[letter]
