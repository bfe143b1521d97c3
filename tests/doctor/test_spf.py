"""SPF (RFC 7208): records, evaluation, and what operators are advised to do."""

from __future__ import annotations

import pytest
from fakedns import FakeDns

from digestmail.doctor.findings import Severity
from digestmail.doctor.spf import Route, probe_spf
from digestmail.doctor.spf_check import SpfResult, check_host
from digestmail.doctor.spf_record import SpfError, parse_spf, spf_records, survey

SENDER = "bounce@example.org"


def dns(record: str | None = None, **zone) -> FakeDns:
    names = {name.replace("__", "-").replace("_", "."): records for name, records in zone.items()}
    return FakeDns({"example.org": {"TXT": [record] if record else [], **names.pop("example.org", {})}, **names})


def result(record: str, address: str = "192.0.2.1", **zone) -> SpfResult:
    return check_host(dns(record, **zone), address, SENDER, "mail.example.org").result


def route(*addresses: str, relays: tuple[str, ...] = ()) -> Route:
    return Route(sender=SENDER, ehlo_name="mail.example.org", relays=relays, addresses=addresses)


def findings(found: FakeDns, *addresses: str, relays: tuple[str, ...] = ()) -> list[tuple[Severity, str]]:
    return [(one.severity, f"{one.text}; {one.fix}") for one in probe_spf(found, route(*addresses, relays=relays))]


# -- the record --------------------------------------------------------------------------------------------------------


def test_only_records_with_the_exact_version_count():
    texts = ("v=spf1", "V=SPF1 -all", "v=spf10 -all", "v=spf1-all", " v=spf1 -all", "spf1", "google-site=1")
    assert spf_records(texts) == ("v=spf1", "V=SPF1 -all")


@pytest.mark.parametrize(
    "term",
    [
        "a", "-a", "a/24", "a//64", "a/24//64", "a:example.com", "a:example.com/24", "mx", "~mx:example.com//64", "ptr",
        "ptr:example.com", "ip4:192.0.2.1", "+ip4:192.0.2.0/24", "ip6:2001:db8::/32", "ip6:::1", "exists:%{i}.x.org",
        "include:_spf.example.com", "?all", "ALL", "redirect=_spf.example.com", "exp=why.example.org", "unknown=x",
        "unknown=",
    ],
)  # fmt: skip
def test_every_term_of_the_grammar_is_read(term):
    parse_spf(f"v=spf1 {term}")


@pytest.mark.parametrize(
    "term",
    [
        "foo", "foo:bar", "all:example.com", "include", "include:", "exists", "a:", "ip4", "ip4:", "ip4:example.com",
        "ip4:2001:db8::1", "ip6:192.0.2.1", "ip4:192.0.2.0/33", "a/33", "a//129", "include:x/24", "all/8",
        "+redirect=x", "redirect=", "-", "=x", "redirect=a redirect=b", "ipv4:192.0.2.1",
    ],
)  # fmt: skip
def test_what_receivers_refuse_is_an_error(term):
    with pytest.raises(SpfError):
        parse_spf(f"v=spf1 {term}")


@pytest.mark.parametrize(
    ("record", "address", "expected"),
    [
        ("v=spf1 ip4:192.0.2.1 -all", "192.0.2.1", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.200", "pass"),
        ("v=spf1 ip4:192.0.2.1 -all", "192.0.2.2", "fail"),
        ("v=spf1 ip4:192.0.2.1 ~all", "192.0.2.2", "softfail"),
        ("v=spf1 ip4:192.0.2.1 ?all", "192.0.2.2", "neutral"),
        ("v=spf1 ip4:192.0.2.1", "192.0.2.2", "neutral"),
        ("v=spf1 -ip4:192.0.2.1 +all", "192.0.2.1", "fail"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", "192.0.2.1", "fail"),
        ("v=spf1 ip4:0.0.0.0/0 -all", "2001:db8::1", "fail"),
        ("v=spf1 nonsense -all", "192.0.2.1", "permerror"),
    ],
)
def test_addresses_are_compared_with_networks(record, address, expected):
    assert result(record, address) == expected


def test_a_and_mx_are_looked_up_with_their_prefixes():
    zone = {
        "example_org": {"A": ["192.0.2.8"], "MX": ["10 mx.example.org", "0 "]},
        "mx_example_org": {"A": ["198.51.100.1"], "AAAA": ["2001:db8::25"]},
    }
    assert result("v=spf1 a -all", "192.0.2.8", **zone) == "pass"
    assert result("v=spf1 a -all", "192.0.2.9", **zone) == "fail"
    assert result("v=spf1 a/24 -all", "192.0.2.9", **zone) == "pass"
    assert result("v=spf1 mx -all", "198.51.100.1", **zone) == "pass"
    assert result("v=spf1 mx -all", "2001:db8::25", **zone) == "pass"
    assert result("v=spf1 mx//64 -all", "2001:db8::26", **zone) == "pass"
    assert result("v=spf1 a:mx.example.org -all", "198.51.100.1", **zone) == "pass"


def test_an_include_counts_only_if_it_passes_and_a_redirect_replaces_the_record():
    zone = {"a_example": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]}, "b_example": {"TXT": ["v=spf1 ?ip4:192.0.2.2 -all"]}}
    assert result("v=spf1 include:a.example ~all", "192.0.2.1", **zone) == "pass"
    assert result("v=spf1 include:a.example ~all", "192.0.2.3", **zone) == "softfail"
    assert result("v=spf1 -include:a.example ~all", "192.0.2.1", **zone) == "fail"
    assert result("v=spf1 include:b.example ~all", "192.0.2.2", **zone) == "softfail"
    assert result("v=spf1 redirect=a.example", "192.0.2.3", **zone) == "fail"
    assert result("v=spf1 ?all redirect=a.example", "192.0.2.1", **zone) == "neutral"
    assert result("v=spf1 include:gone.example ~all") == "permerror"
    assert result("v=spf1 redirect=gone.example") == "permerror"


def test_no_record_and_two_records():
    assert check_host(FakeDns({"example.org": {"TXT": ["x"]}}), "192.0.2.1", SENDER, "h").result == "none"
    assert check_host(FakeDns({}), "192.0.2.1", SENDER, "h").result == "none"
    two = FakeDns({"example.org": {"TXT": ["v=spf1 -all", "v=spf1 ~all"]}})
    assert check_host(two, "192.0.2.1", SENDER, "h").result == "permerror"


def test_ten_lookups_are_made_and_no_more():
    zone = {f"i{n}_example": {"TXT": ["v=spf1 ?all"]} for n in range(20)}
    ten = " ".join(f"include:i{n}.example" for n in range(10))
    assert result(f"v=spf1 {ten} -all", **zone) == "fail"
    assert result(f"v=spf1 {ten} include:i10.example -all", **zone) == "permerror"
    assert result(f"v=spf1 ip4:192.0.2.1 {ten} include:i10.example -all", **zone) == "pass", "the first match ends it"


def test_a_record_that_includes_itself_ends():
    zone = {"a_example": {"TXT": ["v=spf1 include:a.example -all"]}}
    assert result("v=spf1 include:a.example -all", **zone) == "permerror"
    assert survey(dns("v=spf1 include:a.example -all", **zone), "example.org").problems == [
        "the record of a.example includes itself"
    ]


def test_two_lookups_may_have_no_answer():
    assert result("v=spf1 a:x.example a:y.example -all") == "fail"
    assert result("v=spf1 a:x.example a:y.example a:z.example -all") == "permerror"


def test_a_server_that_fails_is_temporary():
    zone = {"a_example": {"TXT": "SERVFAIL"}}
    assert result("v=spf1 include:a.example -all", **zone) == "temperror"


def test_names_of_an_address_are_confirmed():
    zone = {
        "1_2_0_192_in__addr_arpa": {"PTR": ["mail.example.org", "evil.example.net"]},
        "mail_example_org": {"A": ["192.0.2.1"]},
    }
    assert result("v=spf1 ptr -all", **zone) == "pass"
    assert result("v=spf1 ptr:example.net -all", **zone) == "fail"


@pytest.mark.parametrize(
    ("macro", "name"),
    [
        ("%{i}.x.example", "192.0.2.1.x.example"),
        ("%{ir}.%{v}.x.example", "1.2.0.192.in-addr.x.example"),
        ("%{l}.%{o}.x.example", "bounce.example.org.x.example"),
        ("%{d2}.x.example", "example.org.x.example"),
        ("%{d1r}.x.example", "example.x.example"),
        ("%{h}.x.example", "mail.example.org.x.example"),
        ("a%%b%_%-.x.example", "a%b %20.x.example"),
        ("%{S}.x.example", "bounce%40example.org.x.example"),
    ],
)
def test_macros_are_replaced(macro, name):
    found = FakeDns({"example.org": {"TXT": [f"v=spf1 exists:{macro} -all"]}, name: {"A": ["127.0.0.2"]}})
    assert check_host(found, "192.0.2.1", SENDER, "mail.example.org").result == "pass", found.asked


@pytest.mark.parametrize("macro", ["%{x}.example", "%{", "%a.example"])
def test_an_unknown_macro_is_an_error(macro):
    assert result(f"v=spf1 exists:{macro} -all") == "permerror"


def test_an_ipv6_address_has_32_digits_in_macros():
    name = "2.0.0.1.0.d.b.8" + ".0" * 23 + ".1.x.example"
    found = FakeDns({"example.org": {"TXT": ["v=spf1 exists:%{i}.x.example -all"]}, name: {"A": ["127.0.0.2"]}})
    assert check_host(found, "2001:db8::1", SENDER, "h").result == "pass"


# -- findings ----------------------------------------------------------------------------------------------------------


def test_an_address_that_passes_is_well():
    assert findings(dns("v=spf1 ip4:192.0.2.1 -all"), "192.0.2.1") == [
        (Severity.OK, "192.0.2.1 for example.org: pass (ip4 in the record of example.org); ")
    ]


@pytest.mark.parametrize(
    ("address", "fix"),
    [("192.0.2.9", "add ip4:192.0.2.9 to the record of example.org"), ("2001:db8::9", "add ip6:2001:db8::9 to")],
)
def test_an_address_that_fails_names_what_to_add(address, fix):
    (finding,) = findings(dns("v=spf1 ip4:192.0.2.1 ~all"), address)
    assert finding[0] is Severity.FAIL
    assert fix in finding[1]


@pytest.mark.parametrize(
    ("texts", "severity", "text"),
    [
        ([], Severity.FAIL, 'publish: example.org. IN TXT "v=spf1 ip4:192.0.2.1 ~all"'),
        (["v=spf1 -all", "v=spf1 ~all"], Severity.FAIL, "2 SPF records, so SPF always fails; merge them"),
        (["v=spf1 +all"], Severity.FAIL, "allows every server"),
        (["v=spf1 all"], Severity.FAIL, "allows every server"),
        (["v=spf1 ip4:0.0.0.0/0 -all"], Severity.FAIL, "allows every server"),
        (["v=spf1 ip4:192.0.2.1 nonsense:x ~all"], Severity.FAIL, "'nonsense:x' is an unknown mechanism"),
        (["v=spf1 ip4:192.0.2.1 ptr ~all"], Severity.WARN, "uses ptr"),
        (["v=spf1 ip4:192.0.2.1"], Severity.WARN, "does not end with all"),
        (["v=spf1 ip4:192.0.2.1 ?all"], Severity.WARN, "ends with ?all"),
        ("SERVFAIL", Severity.WARN, "cannot be looked up: SERVFAIL"),
    ],
)
def test_what_is_wrong_with_a_record_is_named(texts, severity, text):
    found = findings(FakeDns({"example.org": {"TXT": texts}}), "192.0.2.1")
    assert any(one[0] is severity and text in one[1] for one in found), found


def test_lookups_are_counted_through_all_includes():
    zone = {f"i{n}_example": {"TXT": ["v=spf1 a mx ?all"]} for n in range(4)}
    record = " ".join(f"include:i{n}.example" for n in range(4))
    assert survey(dns(f"v=spf1 {record} -all", **zone), "example.org").lookups == 12
    found = findings(dns(f"v=spf1 ip4:192.0.2.1 {record} -all", **zone), "192.0.2.1")
    assert (Severity.FAIL, True) in [(one[0], "needs 12 lookups" in one[1]) for one in found]


def test_the_redirect_decides_how_a_record_ends():
    zone = {"a_example": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]}}
    assert findings(dns("v=spf1 redirect=a.example", **zone), "192.0.2.1")[0][0] is Severity.OK


def test_a_known_provider_needs_its_include():
    office = ("smtp.office365.com",)
    included = {"spf_protection_outlook_com": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]}}
    good = findings(dns("v=spf1 include:spf.protection.outlook.com -all", **included), relays=office)
    assert good[0][0] is Severity.OK
    (bad,) = findings(dns("v=spf1 mx -all"), relays=office)
    assert bad[0] is Severity.FAIL
    assert "add include:spf.protection.outlook.com" in bad[1]
    (none,) = findings(dns(), relays=office)
    assert '"v=spf1 include:spf.protection.outlook.com ~all"' in none[1]


def test_another_relay_is_judged_by_its_own_address_if_that_passes():
    relay = {"relay_example_net": {"A": ["198.51.100.7"]}}
    (good,) = findings(dns("v=spf1 a:relay.example.net -all", **relay), relays=("relay.example.net",))
    assert good[0] is Severity.OK
    (unsure,) = findings(dns("v=spf1 ip4:203.0.113.9 -all", **relay), relays=("relay.example.net",))
    assert unsure[0] is Severity.WARN
    assert "v=spf1 ip4:203.0.113.9 -all" in unsure[1]
    assert "--address" in unsure[1]


def test_an_unknown_address_is_said_with_the_record():
    (finding,) = findings(dns("v=spf1 mx -all"))
    assert finding[0] is Severity.WARN
    assert "v=spf1 mx -all" in finding[1]
