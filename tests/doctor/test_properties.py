"""What anyone may publish in the DNS, or send, ends in a finding and never in an error."""

from __future__ import annotations

from fakedns import FakeDns
from hypothesis import example, given
from hypothesis import strategies as st

from digestmail.doctor.dkim_record import PublishedKey, judge_key
from digestmail.doctor.dmarc import probe_dmarc
from digestmail.doctor.receiving import probe_receiving
from digestmail.doctor.round_trip import authentication_results, judge_returned
from digestmail.doctor.run import has_failed
from digestmail.doctor.spf import Route, probe_spf
from digestmail.doctor.spf_check import check_host
from digestmail.mail.dkim import Algorithm, Signer, generate
from digestmail.mail.dkim_verify import verify_ours

SIGNERS = (Signer(domain="example.org", selector="s", pem=generate(Algorithm.ED25519)),)
WORDS = st.sampled_from(
    ["a", "mx", "ptr", "all", "-all", "+all", "include:example.org", "include:b.example", "redirect=b.example", "ip4:1",
     "ip4:192.0.2.0/24", "ip6:::/0", "exists:%{i}.%{d}", "exists:%{l9r-}", "a:%", "a//", "a/00", "a/99//999", "=", ":"]
)  # fmt: skip
RECORD = st.lists(WORDS | st.text(max_size=12), max_size=8).map(lambda words: " ".join(["v=spf1", *words]))
TAGS = st.lists(
    st.sampled_from(["v=DMARC1", "v=DKIM1", "p=", "p=reject", "psd=y", "psd=n", "t=y", "k=rsa", "pct=1"])
    | st.text(max_size=12),
    max_size=8,
).map("; ".join)


@given(RECORD, RECORD)
@example("v=spf1 a/99999999999999999999", "v=spf1")
@example("v=spf1 a/" + "9" * 5000, "v=spf1 exists:%{i" + "9" * 5000 + "}")
@example("v=spf1 exists:%{i99999999999999999999}", "v=spf1")
def test_any_spf_record_has_a_result(one: str, two: str) -> None:
    dns = FakeDns({"example.org": {"TXT": [one], "A": ["192.0.2.1"], "MX": ["1 a"]}, "b.example": {"TXT": [two]}})
    for address in ("192.0.2.1", "2001:db8::1"):
        assert check_host(dns, address, "a@example.org", "h").reason
    route = Route(sender="a@example.org", ehlo_name="h", relays=(), addresses=("192.0.2.1",))
    assert list(probe_spf(dns, route))


@given(TAGS, TAGS)
def test_any_dmarc_record_has_a_finding(one: str, two: str) -> None:
    dns = FakeDns({"_dmarc.a.example.org": {"TXT": [one]}, "_dmarc.org": {"TXT": [two, one]}})
    assert list(probe_dmarc(dns, "a.example.org", "b.example.org", "example.org"))


@given(TAGS)
def test_any_record_about_receiving_has_a_finding(text: str) -> None:
    for record in (text, f"v=STSv1;{text}", f"v=TLSRPTv1;{text}"):
        dns = FakeDns({"_mta-sts.example.org": {"TXT": [record]}, "_smtp._tls.example.org": {"TXT": [record]}})
        findings = list(probe_receiving(dns, "example.org"))
        assert len(findings) == 2
        assert not has_failed(findings)


@given(TAGS)
def test_any_dkim_record_has_a_finding(text: str) -> None:
    record = SIGNERS[0].record()
    key = PublishedKey(name=record.name, domain="example.org", value=record.value, zone_line=record.zone_line())
    assert judge_key(key, (text,)).text


@given(st.text(), st.binary())
@example("", b"DKIM-Signature: d=example.org; s=s; h=:::; b=\xff; bh=\r\n\r\n")
@example("", b"DKIM-Signature: d=example.org; s=s\n\n")
def test_any_message_and_result_has_a_finding(field: str, raw: bytes) -> None:
    assert authentication_results(field) is not None
    assert list(judge_returned(raw, SIGNERS))
    assert isinstance(verify_ours(b"DKIM-Signature: d=example.org; s=s; " + raw, SIGNERS), tuple)
