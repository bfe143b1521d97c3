"""Names of our server and domains: reverse DNS, EHLO, and where bounces go. Pure, with lookups as an argument."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from digestmail.doctor.dns import Dns, addresses, reverse_name
from digestmail.doctor.findings import ProbeFinding, fail, ok, skip, warn
from digestmail.doctor.spf import Route

REVERSE, EHLO, MX = "reverse-dns", "ehlo", "mx"


def probe_reverse(dns: Dns, route: Route) -> Iterator[ProbeFinding]:
    """Yield whether each address has a name that leads back to it (FCrDNS, RFC 8601 section 2.7.3)."""
    if route.relays:
        yield skip(REVERSE, f"{', '.join(route.relays)} sends to receivers, so the names of its addresses count")
    elif not route.addresses:
        yield skip(REVERSE, "the public address of this machine is unknown; name it with --address")
    else:
        yield from (_judge_reverse(dns, address) for address in route.addresses)


def _judge_reverse(dns: Dns, address: str) -> ProbeFinding:
    found = dns.look_up(reverse_name(address), "PTR")
    if found.problem:
        return warn(REVERSE, f"the name of {address} cannot be looked up: {found.problem}", "try again later")
    if not found.values:
        return fail(
            REVERSE,
            f"{address} has no name, so Gmail and others refuse emails from it",
            "have the operator of the network set its PTR record to the name of your mail server",
        )
    confirmed = [name for name in found.values if _leads_to(dns, name, address)]
    if not confirmed:
        return fail(
            REVERSE,
            f"{address} is named {found.values[0]}, but that name does not have this address",
            f"give {found.values[0]} an A or AAAA record with {address}",
        )
    return ok(REVERSE, f"{address} is {confirmed[0]}, and back")


def _leads_to(dns: Dns, name: str, address: str) -> bool:
    return any(ip_address(one) == ip_address(address) for one in addresses(dns, name).values)


def probe_ehlo(dns: Dns, route: Route) -> Iterator[ProbeFinding]:
    """Yield whether the name in EHLO has an address (RFC 5321 section 4.1.4)."""
    name = route.ehlo_name
    if not route.relays:
        yield skip(EHLO, "the mail server on this machine says its own name to receivers")
        return
    if name.startswith("["):
        yield warn(EHLO, f"EHLO says {name}, because this machine has no full name", "set ehlo_name")
        return
    found = addresses(dns, name)
    if found.values:
        yield ok(EHLO, f"{name} is at {', '.join(found.values)}")
    elif found.problem:
        yield warn(EHLO, f"{name} cannot be looked up: {found.problem}", "try again later")
    else:
        remedy = f"set ehlo_name to a name with an A or AAAA record, or give {name} one"
        yield warn(EHLO, f"{name} has no address, so some servers refuse the connection", remedy)


def probe_mx(dns: Dns, domain: str) -> Iterator[ProbeFinding]:
    """Yield whether bounces and replies to `domain` can be delivered (RFC 5321 section 5.1, RFC 7505)."""
    found = dns.look_up(domain, "MX")
    if found.problem:
        yield warn(MX, f"{domain} cannot be looked up: {found.problem}", "try again later")
    elif not found.values:
        yield _without_mx(dns, domain)
    elif any(value.partition(" ")[2] in {"", "."} for value in found.values):
        yield fail(MX, f"{domain} accepts no email (null MX), so no bounces arrive", "publish an MX record for it")
    else:
        broken = [name for name in _exchanges(found.values) if not _is_reachable(dns, name)]
        for name in broken:
            yield fail(MX, f"{name}, an MX of {domain}, has no address", "correct the MX record, or give the name one")
        if not broken:
            yield ok(MX, f"email to {domain} goes to {', '.join(_exchanges(found.values))}")


def _without_mx(dns: Dns, domain: str) -> ProbeFinding:
    if addresses(dns, domain).values:
        return warn(MX, f"{domain} has no MX record, so its own address is used", f"publish an MX record for {domain}")
    return fail(MX, f"{domain} has neither MX record nor address, so bounces get lost", "publish an MX record for it")


def _exchanges(values: tuple[str, ...]) -> list[str]:
    return [value.partition(" ")[2] for value in sorted(values, key=lambda value: int(value.split(" ")[0]))]


def _is_reachable(dns: Dns, name: str) -> bool:
    """Return whether a name has an address, or whether that is unknown."""
    found = addresses(dns, name)
    return bool(found.values or found.problem)
