"""DMARC (RFC 9989): tree walk, organizational domain, policy and alignment."""

from __future__ import annotations

import pytest
from fakedns import FakeDns

from digestmail.doctor.dmarc import effective_policy, names_to_query, parse_dmarc, probe_dmarc, walk
from digestmail.doctor.findings import Severity


def dns(**records: str | list[str]) -> FakeDns:
    """Return a DNS with DMARC records; in names, `_` stands for a dot."""
    return FakeDns(
        {
            f"_dmarc.{name.replace('_', '.')}": {"TXT": [text] if isinstance(text, str) else text}
            for name, text in records.items()
        }
    )


def findings(
    found: FakeDns, author: str = "example.org", envelope: str = "example.org", signing: str | None = "example.org"
):
    return [(one.severity, f"{one.text}; {one.fix}") for one in probe_dmarc(found, author, envelope, signing)]


def severities(*arguments, **options) -> list[Severity]:
    return [severity for severity, _ in findings(*arguments, **options)]


GOOD = "v=DMARC1; p=reject; rua=mailto:dmarc@example.org"


@pytest.mark.parametrize(
    ("domain", "names"),
    [
        ("org", ["org"]),
        ("example.org", ["example.org", "org"]),
        ("a.b.c.d.e.f.g", ["a.b.c.d.e.f.g", "b.c.d.e.f.g", "c.d.e.f.g", "d.e.f.g", "e.f.g", "f.g", "g"]),
        ("a.b.c.d.e.f.g.h", [".".join("abcdefgh"[at:]) for at in range(8)]),
    ],
)  # fmt: skip
def test_a_walk_goes_up_one_label_at_a_time(domain, names):
    assert names_to_query(domain) == names


def test_a_long_name_is_cut_to_seven_labels_after_the_first_query():
    names = names_to_query("a.b.c.d.e.f.g.h.i.j.mail.example.com")
    assert names[:2] == ["a.b.c.d.e.f.g.h.i.j.mail.example.com", "g.h.i.j.mail.example.com"]
    assert (len(names), names[-1]) == (8, "com")


@pytest.mark.parametrize(
    "text", ["", "v=DMARC2; p=none", "p=none; v=DMARC1", "v=dmarc1; p=none", "v=spf1", "v=DMARC1x"]
)
def test_a_record_begins_with_its_version_exactly(text):
    assert parse_dmarc(text) is None


def test_blanks_unknown_tags_and_rubbish_are_tolerated():
    assert parse_dmarc(" v = DMARC1 ;  P= none;; rubbish ; x=y; p=reject") == {"v": "DMARC1", "p": "none", "x": "y"}
    assert parse_dmarc("v=DMARC1") == {"v": "DMARC1"}


def test_the_record_with_the_fewest_labels_is_of_the_organization():
    found = walk(dns(mail_example_com=GOOD, example_com=GOOD), "a.mail.example.com")
    assert found.organizational() == "example.com"
    assert found.policy().domain == "example.com"


def test_a_public_suffix_says_so_and_the_organization_is_one_label_below():
    found = walk(dns(com="v=DMARC1; psd=y"), "a.mail.example.com")
    assert found.organizational() == "example.com"
    assert found.policy().domain == "com"


def test_a_domain_may_say_that_it_is_an_organization():
    found = walk(dns(mail_example_com="v=DMARC1; psd=n; p=none", example_com=GOOD), "a.mail.example.com")
    assert found.organizational() == "mail.example.com"
    assert [record.domain for record in found.records] == ["mail.example.com"], "the walk ends there"


def test_without_any_record_a_domain_is_its_own_organization():
    assert walk(dns(), "a.example.com").organizational() == "a.example.com"


@pytest.mark.parametrize(
    ("record", "own", "policy"),
    [
        ("v=DMARC1; p=reject", True, "reject"),
        ("v=DMARC1", True, "none"),
        ("v=DMARC1; p=nonsense", True, "none"),
        ("v=DMARC1; p=reject; t=y", True, "quarantine"),
        ("v=DMARC1; p=quarantine; t=y", True, "none"),
        ("v=DMARC1; p=reject; sp=none", False, "none"),
        ("v=DMARC1; p=quarantine; np=reject", False, "quarantine"),
        ("v=DMARC1; p=REJECT; pct=0", True, "reject"),
    ],
)
def test_the_policy_that_applies(record, own, policy):
    start = "example.org" if own else "news.example.org"
    found = walk(dns(example_org=record), start)
    assert effective_policy(found, found.policy()) == policy


def test_a_good_record_with_both_aligned_is_one_line():
    assert findings(dns(example_org=GOOD)) == [
        (Severity.OK, "p=reject from _dmarc.example.org; DKIM and SPF are aligned with example.org; ")
    ]


def test_subdomains_of_one_organization_are_aligned_unless_that_is_strict():
    relaxed, strict = dns(example_org=GOOD), dns(example_org=f"{GOOD}; adkim=s; aspf=s")
    options = {"author": "news.example.org", "envelope": "bounce.example.org", "signing": "mail.example.org"}
    assert severities(relaxed, **options) == [Severity.OK]
    assert severities(strict, **options) == [Severity.FAIL]
    assert severities(strict, **(options | {"signing": "news.example.org"})) == [Severity.OK]


def test_domains_of_different_organizations_are_not_aligned():
    (bad,) = findings(dns(example_org=GOOD, provider_com=GOOD), envelope="bounce.provider.com", signing="provider.com")
    assert bad[0] is Severity.FAIL
    assert "set [mail.dkim] domain" in bad[1]


def test_spf_alone_breaks_when_emails_are_forwarded():
    (finding,) = findings(dns(example_org=GOOD), signing=None)
    assert finding[0] is Severity.WARN
    assert "forwarded" in finding[1]


def test_no_record_names_one_to_publish():
    (finding,) = findings(dns())
    assert finding[0] is Severity.FAIL
    assert '_dmarc.example.org. IN TXT "v=DMARC1; p=none;' in finding[1]


def test_two_records_are_ignored_by_receivers():
    (finding,) = findings(dns(example_org=[GOOD, "v=DMARC1; p=none"]))
    assert finding[0] is Severity.FAIL
    assert "more than one DMARC record" in finding[1]
    assert severities(dns(example_org=[GOOD, "google-site-verification=1"])) == [Severity.OK], (
        "other texts do not count"
    )


def test_a_server_that_fails_is_no_absence():
    (finding,) = findings(FakeDns({"_dmarc.example.org": {"TXT": "SERVFAIL"}}))
    assert finding[0] is Severity.WARN


@pytest.mark.parametrize(
    ("tags", "severity", "text"),
    [
        ("p=reject; pct=50", Severity.WARN, "pct has no effect since RFC 9989"),
        ("p=reject; t=y", Severity.WARN, "test mode"),
        ("p=rejct", Severity.FAIL, "p=rejct is invalid"),
        ("p=none; sp=x", Severity.FAIL, "sp=x is invalid"),
        ("p=none; np=x", Severity.FAIL, "np=x is invalid"),
    ],
)
def test_single_tags_are_judged(tags, severity, text):
    found = findings(dns(example_org=f"v=DMARC1; {tags}; rua=mailto:a@example.org"))
    assert any(one[0] is severity and text in one[1] for one in found[1:])


def test_reports_that_no_one_gets_are_a_warning():
    assert "without rua" in findings(dns(example_org="v=DMARC1; p=none"))[1][1]


def test_a_domain_without_records_may_fall_under_np():
    found = findings(dns(example_org=f"{GOOD}; np=reject"), author="news.example.org", envelope="news.example.org")
    assert any("np=reject applies to news.example.org if" in text for _, text in found)
