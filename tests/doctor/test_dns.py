"""Lookups against a DNS server on loopback."""

from __future__ import annotations

import pytest
from dnsserver import serving_dns

from digestmail.doctor.dns import Records, Resolver, addresses, parse_server, reverse_name

LONG = "v=DKIM1; k=rsa; p=" + "A" * 600


def test_the_strings_of_a_long_record_are_joined_without_blanks():
    zone = {"a.example.org": {"TXT": [f'"{LONG[:255]}" "{LONG[255:510]}" "{LONG[510:]}"', '"other"']}}
    with serving_dns(zone) as server:
        assert set(server.resolver().look_up("a.example.org", "TXT").values) == {LONG, "other"}


def test_a_truncated_answer_is_asked_for_again_over_tcp():
    with serving_dns({"a.example.org": {"TXT": [f'"{LONG[:255]}"']}}, truncates=["a.example.org"]) as server:
        assert server.resolver().look_up("a.example.org", "TXT").values == (LONG[:255],)
        assert [query[0] for query in server.queries] == ["udp", "tcp"]


@pytest.mark.parametrize(("octets", "transports"), [(600, ["udp"]), (1300, ["udp", "tcp"])])
def test_a_long_answer_needs_no_tcp_as_far_as_datagrams_are_safe(octets, transports):
    long = "A" * octets
    strings = " ".join(f'"{long[at : at + 255]}"' for at in range(0, octets, 255))
    with serving_dns({"a.example.org": {"TXT": [strings]}}) as server:
        assert server.resolver().look_up("a.example.org", "TXT").values == (long,)
        assert [query[0] for query in server.queries] == transports


def test_an_alias_is_followed():
    zone = {
        "s._domainkey.example.org": {"CNAME": ["s._domainkey.provider.example."]},
        "s._domainkey.provider.example": {"TXT": ['"v=DKIM1; p=abc"']},
    }
    with serving_dns(zone) as server:
        assert server.resolver().look_up("s._domainkey.example.org", "TXT").values == ("v=DKIM1; p=abc",)


def test_a_name_that_does_not_exist_and_one_without_such_records_differ():
    with serving_dns({"a.example.org": {"A": ["192.0.2.1"]}}) as server:
        assert server.resolver().look_up("a.example.org", "TXT") == Records()
        assert server.resolver().look_up("b.example.org", "TXT") == Records(exists=False)


def test_a_server_that_fails_is_a_problem_and_no_absence():
    with serving_dns({}, fails=["a.example.org"]) as server:
        assert server.resolver().look_up("a.example.org", "TXT") == Records(problem="SERVFAIL")


def test_a_server_that_is_silent_is_a_problem_after_a_while():
    with serving_dns({}, silent=["a.example.org"]) as server:
        assert server.resolver(0.2).look_up("a.example.org", "A").problem == "no answer within 0.2 seconds"


def test_names_come_in_lower_case_without_their_final_dot():
    zone = {
        "example.org": {"MX": ["10 MX1.Example.org.", "0 ."]},
        "1.2.0.192.in-addr.arpa": {"PTR": ["Mail.Example.org."]},
        "mail.example.org": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    }
    with serving_dns(zone) as server:
        resolver = server.resolver()
        assert set(resolver.look_up("example.org.", "MX").values) == {"10 mx1.example.org", "0 "}
        assert resolver.look_up(reverse_name("192.0.2.1"), "PTR").values == ("mail.example.org",)
        assert addresses(resolver, "mail.example.org").values == ("192.0.2.1", "2001:db8::1")


@pytest.mark.parametrize("name", ["a..example.org", "x" * 64 + ".example.org", ".".join(["abcdefgh"] * 40)])
def test_a_name_that_cannot_be_in_the_dns_is_a_problem(name):
    with serving_dns({}) as server:
        assert server.resolver().look_up(name, "TXT").problem
        assert server.queries == []


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_a_resolver_is_an_address_with_or_without_a_port(text, parsed):
    assert parse_server(text) == parsed


@pytest.mark.parametrize("text", ["", "dns.example.org", "dns.example.org:53", "192.0.2", "192.0.2.1:x"])
def test_anything_else_is_no_resolver(text):
    with pytest.raises(ValueError, match="does not appear to be"):
        Resolver(text)
