"""SPF: whether receivers let our server send for the domain of the envelope sender (RFC 7208)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from digestmail.doctor.dns import Dns, addresses
from digestmail.doctor.findings import ProbeFinding, fail, ok, warn
from digestmail.doctor.spf_check import SpfResult, check_host
from digestmail.doctor.spf_record import MOST_LOOKUPS, Survey, spf_records, survey
from digestmail.text.addresses import split_address

PROBE = "spf"
_INCLUDES: Final = {
    "office365.com": "spf.protection.outlook.com",
    "outlook.com": "spf.protection.outlook.com",
    "gmail.com": "_spf.google.com",
    "google.com": "_spf.google.com",
    "amazonaws.com": "amazonses.com",
    "mailgun.org": "mailgun.org",
    "sendgrid.net": "sendgrid.net",
    "postmarkapp.com": "spf.mtasv.net",
    "zoho.com": "zohomail.com",
    "zoho.eu": "zohomail.eu",
    "messagingengine.com": "spf.messagingengine.com",
    "fastmail.com": "spf.messagingengine.com",
}
"""What the documentation of a provider says to include, by the domain of its submission server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How emails leave, as far as it is known."""

    sender: str
    """The envelope sender, with A-labels."""
    ehlo_name: str
    relays: tuple[str, ...]
    """Hosts of other organizations or machines that pass our emails on. Empty if this machine sends by itself."""
    addresses: tuple[str, ...]
    """IP addresses that receivers see; empty if unknown."""

    @property
    def domain(self) -> str:
        """The domain of the envelope sender."""
        return split_address(self.sender)[1]


def probe_spf(dns: Dns, route: Route) -> Iterator[ProbeFinding]:
    """Yield findings about the record, and about our servers."""
    answer = dns.look_up(route.domain, "TXT")
    if answer.problem:
        yield warn(PROBE, f"{route.domain} cannot be looked up: {answer.problem}", "try again, or use --resolver")
        return
    records = spf_records(answer.values)
    if not records:
        allowed = " ".join(f"ip{6 if ':' in one else 4}:{one}" for one in route.addresses)
        allowed = allowed or " ".join(f"include:{name}" for name in _wanted(route)) or "mx"
        line = f'{route.domain}. IN TXT "v=spf1 {allowed} ~all"'
        yield fail(
            PROBE, f"{route.domain} has no SPF record, so Gmail and Outlook refuse bulk email", f"publish: {line}"
        )
        return
    if len(records) > 1:
        yield fail(PROBE, f"{route.domain} has {len(records)} SPF records, so SPF always fails", "merge them into one")
        return
    found = survey(dns, route.domain)
    yield from judge_survey(route.domain, found)
    yield from _our_servers(dns, route, found)


def judge_survey(domain: str, found: Survey) -> Iterator[ProbeFinding]:
    """Yield what is wrong with a record, whoever sends."""
    yield from (
        fail(PROBE, f"receivers cannot evaluate it: {problem}", "correct the record") for problem in found.problems
    )
    yield from (warn(PROBE, f"a part cannot be looked up: {problem}", "try again later") for problem in found.unknown)
    if found.lookups > MOST_LOOKUPS:
        yield fail(
            PROBE,
            f"the record of {domain} needs {found.lookups} lookups, more than the {MOST_LOOKUPS} that receivers make",
            "remove includes that you do not use, or write their networks as ip4: and ip6:",
        )
    for one in dict.fromkeys(found.open_to_all):
        yield fail(PROBE, f"the record of {one} allows every server to send for {domain}", "end it with -all or ~all")
    if found.uses_ptr:
        yield warn(
            PROBE, f"the record of {domain} uses ptr, which many receivers ignore", "replace it by ip4: and ip6:"
        )
    if found.ends in {"", "?"} and not found.problems:
        what = "ends with ?all" if found.ends else "does not end with all"
        yield warn(PROBE, f"the record of {domain} {what}, so it forbids nothing", "end it with ~all")


def _our_servers(dns: Dns, route: Route, found: Survey) -> Iterator[ProbeFinding]:
    for address in route.addresses:
        yield _judge_address(dns, route, address)
    if not route.addresses and not route.relays:
        yield warn(
            PROBE,
            f"which address receivers see is unknown; the record is: {found.record}",
            "name the public address of this machine with --address",
        )
    if not route.addresses:
        yield from (_judge_relay(dns, route, relay, found) for relay in route.relays)


def _judge_address(dns: Dns, route: Route, address: str) -> ProbeFinding:
    verdict = check_host(dns, address, route.sender, route.ehlo_name)
    text = f"{address} for {route.domain}: {verdict.result} ({verdict.reason})"
    if verdict.result is SpfResult.PASS:
        return ok(PROBE, text)
    if verdict.result is SpfResult.TEMPERROR:
        return warn(PROBE, text, "try again later")
    return fail(PROBE, text, f"add ip{6 if ':' in address else 4}:{address} to the record of {route.domain}")


def _judge_relay(dns: Dns, route: Route, relay: str, found: Survey) -> ProbeFinding:
    """Judge a relay whose outgoing addresses are unknown: by what its provider documents, or by its own address."""
    wanted = _include_of(relay)
    if wanted is not None:
        if wanted in found.includes:
            return ok(PROBE, f"the record of {route.domain} includes {wanted}, which {relay} sends from")
        return fail(PROBE, f"the record of {route.domain} does not allow {relay}", f"add include:{wanted} to it")
    for address in addresses(dns, relay).values:
        if check_host(dns, address, route.sender, route.ehlo_name).result is SpfResult.PASS:
            return ok(PROBE, f"{relay} ({address}) may send for {route.domain}")
    return warn(
        PROBE,
        f"the record of {route.domain} does not allow the address of {relay}, which may use others: {found.record}",
        "add what its operator documents, or name its outgoing addresses with --address",
    )


def _include_of(relay: str) -> str | None:
    return next((value for key, value in _INCLUDES.items() if relay == key or relay.endswith(f".{key}")), None)


def _wanted(route: Route) -> list[str]:
    return [name for relay in route.relays if (name := _include_of(relay))]
