"""Reverse DNS, EHLO names and MX records."""

from __future__ import annotations

import pytest
from fakedns import FakeDns

from digestmail.doctor.findings import Severity
from digestmail.doctor.names import probe_ehlo, probe_mx, probe_reverse
from digestmail.doctor.spf import Route

OK, SKIP, WARN, FAIL = Severity.OK, Severity.SKIP, Severity.WARN, Severity.FAIL
PTR = "1.2.0.192.in-addr.arpa"


def route(*addresses: str, relays: tuple[str, ...] = (), ehlo: str = "mail.example.org") -> Route:
    return Route(sender="b@example.org", ehlo_name=ehlo, relays=relays, addresses=addresses)


@pytest.mark.parametrize(
    ("zone", "severity", "text"),
    [
        ({PTR: {"PTR": ["mail.example.org"]}, "mail.example.org": {"A": ["192.0.2.1"]}}, OK, "and back"),
        ({PTR: {"PTR": ["a.example", "b.example"]}, "b.example": {"A": ["192.0.2.1"]}}, OK, "b.example"),
        ({}, FAIL, "has no name"),
        ({PTR: {"PTR": []}}, FAIL, "has no name"),
        ({PTR: {"PTR": ["mail.example.org"]}}, FAIL, "does not have this address"),
        ({PTR: {"PTR": ["mail.example.org"]}, "mail.example.org": {"A": ["192.0.2.9"]}}, FAIL, "does not have"),
        ({PTR: {"PTR": "SERVFAIL"}}, WARN, "cannot be looked up"),
    ],
)
def test_an_address_has_a_name_that_leads_back(zone, severity, text):
    (finding,) = probe_reverse(FakeDns(zone), route("192.0.2.1"))
    assert finding.severity is severity
    assert text in finding.text


def test_an_ipv6_address_is_compared_as_an_address():
    ptr = "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"
    zone = {ptr: {"PTR": ["m.example"]}, "m.example": {"AAAA": ["2001:0db8::0001"]}}
    (finding,) = probe_reverse(FakeDns(zone), route("2001:db8::1"))
    assert finding.severity is OK


def test_reverse_dns_is_the_relays_business_if_there_is_one():
    (relayed,) = probe_reverse(FakeDns({}), route("192.0.2.1", relays=("smtp.example.net",)))
    (unknown,) = probe_reverse(FakeDns({}), route())
    assert (relayed.severity, unknown.severity) == (SKIP, SKIP)


@pytest.mark.parametrize(
    ("ehlo", "zone", "severity"),
    [
        ("mail.example.org", {"mail.example.org": {"A": ["192.0.2.1"]}}, OK),
        ("mail.example.org", {"mail.example.org": {"AAAA": ["2001:db8::1"]}}, OK),
        ("mail.example.org", {}, WARN),
        ("mail.example.org", {"mail.example.org": {"A": "SERVFAIL"}}, WARN),
        ("[192.0.2.1]", {}, WARN),
    ],
)
def test_the_name_in_ehlo_has_an_address(ehlo, zone, severity):
    (finding,) = probe_ehlo(FakeDns(zone), route(relays=("smtp.example.net",), ehlo=ehlo))
    assert finding.severity is severity


@pytest.mark.parametrize(
    ("zone", "severity", "text"),
    [
        ({"example.org": {"MX": ["20 b.example", "5 a.example"]}, "a.example": {"A": ["192.0.2.1"]},
          "b.example": {"A": ["192.0.2.2"]}}, OK, "goes to a.example, b.example"),
        ({"example.org": {"MX": ["10 a.example"]}}, FAIL, "a.example, an MX of example.org, has no address"),
        ({"example.org": {"MX": ["0 "]}}, FAIL, "null MX"),
        ({"example.org": {"A": ["192.0.2.1"]}}, WARN, "its own address"),
        ({"example.org": {}}, FAIL, "neither MX record nor address"),
        ({}, FAIL, "neither MX record nor address"),
        ({"example.org": {"MX": "SERVFAIL"}}, WARN, "SERVFAIL"),
        ({"example.org": {"MX": ["10 a.example"]}, "a.example": {"A": "timeout", "AAAA": []}}, OK, "goes to"),
    ],
)  # fmt: skip
def test_bounces_have_somewhere_to_go(zone, severity, text):
    (finding,) = probe_mx(FakeDns(zone), "example.org")
    assert finding.severity is severity
    assert text in finding.text
