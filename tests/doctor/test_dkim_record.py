"""The DKIM key in the DNS is the one that we sign with, or the finding says what it is instead."""

from __future__ import annotations

import dns.message
import dns.rrset
import pytest
from dnsserver import serving_dns
from fakedns import FakeDns

from digestmail.doctor.dkim_record import PublishedKey, judge_key, probe_dkim
from digestmail.doctor.findings import Severity
from digestmail.mail.dkim import Algorithm, Signer, generate

NAME = "digest-ed25519._domainkey.example.org"


@pytest.fixture(scope="module")
def signer():
    return Signer(domain="example.org", selector="digest-ed25519", pem=generate(Algorithm.ED25519))


@pytest.fixture
def key(signer):
    record = signer.record()
    return PublishedKey(name=record.name, domain="example.org", value=record.value, zone_line=record.zone_line())


def p_of(key: PublishedKey) -> str:
    return key.value.partition("p=")[2]


def test_our_own_record_is_right(key):
    assert judge_key(key, (key.value,)).severity is Severity.OK


@pytest.mark.parametrize(
    "form",
    [
        "v=DKIM1; k=ed25519; p={p}",
        "v=DKIM1;k=ed25519;p={p};",
        "k=ed25519; p={p}",
        "v=DKIM1; k=ed25519; h=sha1:sha256; s=email; t=s; n=note; p={p}",
        "v=DKIM1; s=*; k=ed25519; p={half} {rest}",
    ],
)
def test_every_way_to_write_it_is_right(key, form):
    p = p_of(key)
    assert judge_key(key, (form.format(p=p, half=p[:10], rest=p[10:]),)).severity is Severity.OK


@pytest.mark.parametrize(
    ("form", "severity", "text"),
    [
        ("v=DKIM1; k=ed25519; p=", Severity.FAIL, "is revoked"),
        ("v=DKIM1; k=ed25519; p=AAAA", Severity.FAIL, "another key"),
        ("v=DKIM1; k=rsa; p={p}", Severity.FAIL, "is a key for rsa, but we sign with ed25519"),
        ("v=DKIM1; p={p}", Severity.FAIL, "is a key for rsa"),
        ("k=ed25519; v=DKIM1; p={p}", Severity.FAIL, "does not begin with v=DKIM1"),
        ("v=DKIM2; k=ed25519; p={p}", Severity.FAIL, "does not begin with v=DKIM1"),
        ("v=DKIM1; k=ed25519", Severity.FAIL, "is not a key record"),
        ("v=spf1 -all", Severity.FAIL, "is not a key record"),
        ('"v=DKIM1; k=ed25519" "p={p}"', Severity.FAIL, "quotation marks"),
        ("v=DKIM1\\; k=ed25519\\; pp {p}", Severity.FAIL, "backslashes"),
        ("v=DKIM1; k=ed25519; h=sha1; p={p}", Severity.FAIL, "allows only h=sha1"),
        ("v=DKIM1; k=ed25519; s=tlsrpt; p={p}", Severity.FAIL, "other services than email"),
        ("v=DKIM1; k=ed25519; t=y:s; p={p}", Severity.WARN, "test mode"),
    ],
)
def test_what_is_wrong_with_it_is_named(key, form, severity, text):
    finding = judge_key(key, (form.format(p=p_of(key)),))
    assert finding.severity is severity
    assert text in finding.text
    assert finding.fix


def test_a_record_that_was_split_wrongly_is_another_key(key):
    assert "another key" in judge_key(key, (key.value[:-3],)).text


def test_two_records_are_one_too_many(key):
    assert "2 TXT records" in judge_key(key, (key.value, "v=DKIM1; p=x")).text


def test_a_missing_record_is_printed_for_the_zone(key):
    (finding,) = probe_dkim(FakeDns({}), (key,))
    assert finding.severity is Severity.FAIL
    assert key.zone_line in finding.fix


def test_a_form_that_appended_the_domain_is_recognized(key):
    (finding,) = probe_dkim(FakeDns({f"{NAME}.example.org": {"TXT": [key.value]}}), (key,))
    assert "the form appends the domain" in finding.text
    assert finding.fix == "enter the name as digest-ed25519._domainkey"


def test_a_failing_server_and_no_key_at_all_are_warnings(key):
    (failing,) = probe_dkim(FakeDns({NAME: {"TXT": "SERVFAIL"}}), (key,))
    (none,) = probe_dkim(FakeDns({}), ())
    assert (failing.severity, none.severity) == (Severity.WARN, Severity.WARN)


def test_a_long_key_behind_an_alias_is_found_over_the_network():
    rsa = Signer(domain="example.org", selector="s", pem=generate(Algorithm.RSA)).record()
    key = PublishedKey(name=rsa.name, domain="example.org", value=rsa.value, zone_line=rsa.zone_line())
    strings = rsa.zone_line().partition("( ")[2].removesuffix(" )")
    zone = {rsa.name: {"CNAME": ["s.keys.example.net."]}, "s.keys.example.net": {"TXT": [strings]}}
    with serving_dns(zone, truncates=[rsa.name]) as server:
        (finding,) = probe_dkim(server.resolver(), (key,))
    assert finding.severity is Severity.OK
    assert len(rsa.value) > 255


def test_the_answer_for_a_key_of_2048_bits_fits_into_a_datagram_without_edns():
    record = Signer(domain="example.org", selector="digest-rsa", pem=generate(Algorithm.RSA)).record()
    name, value = f"{record.name}.", record.value
    response = dns.message.make_response(dns.message.make_query(name, "TXT"))
    response.answer.append(dns.rrset.from_text(name, 3600, "IN", "TXT", f'"{value[:255]}" "{value[255:]}"'))
    assert len(response.to_wire(max_size=512)) == 475
