"""MTA-STS and TLS-RPT are about email that the domain receives: they are explained, and never a failure."""

from __future__ import annotations

import pytest
from fakedns import FakeDns

from digestmail.doctor.findings import Severity
from digestmail.doctor.receiving import probe_receiving
from digestmail.doctor.run import has_failed

STS, RPT = "_mta-sts.example.org", "_smtp._tls.example.org"


def test_without_records_it_says_what_they_are_for():
    findings = list(probe_receiving(FakeDns({}), "example.org"))
    assert [(one.probe, one.severity) for one in findings] == [("mta-sts", Severity.OK), ("tls-rpt", Severity.OK)]
    assert findings[0].text.startswith("_mta-sts.example.org has no record, which is optional: with it, servers that")
    assert "report daily where encryption failed" in findings[1].text


@pytest.mark.parametrize(
    ("name", "records", "severity", "text"),
    [
        (STS, ["v=STSv1; id=20260401T120000;"], Severity.OK, "is set: servers that bring you bounces and replies"),
        (STS, ["v=STSv1;id=1", "v=spf1 -all"], Severity.OK, "is set"),
        (STS, ["v=STSv1; id=1", "v=STSv1; id=2"], Severity.WARN, "has 2 records, so none of them counts"),
        (STS, ["v=STSv1; id=2026-04-01"], Severity.WARN, "has no valid id="),
        (STS, ["v=STSv1"], Severity.WARN, "has no valid id="),
        (STS, ["v=STSv10; id=1"], Severity.OK, "has no record"),
        (STS, "SERVFAIL", Severity.SKIP, "cannot be looked up: SERVFAIL"),
        (RPT, ["v=TLSRPTv1; rua=mailto:tls@example.org"], Severity.OK, "replies report daily where"),
        (RPT, ["v=TLSRPTv1;rua=mailto:a@example.org,https://r.example/v1"], Severity.OK, "is set"),
        (RPT, ["v=TLSRPTv1; rua=tls@example.org"], Severity.WARN, "has no valid rua="),
        (RPT, ["v=TLSRPTv1"], Severity.WARN, "has no valid rua="),
    ],
)
def test_a_record_is_read_as_other_servers_read_it(name, records, severity, text):
    findings = list(probe_receiving(FakeDns({name: {"TXT": records}}), "example.org"))
    (finding,) = (one for one in findings if name in one.text)
    assert (finding.severity, text in finding.text) == (severity, True), finding.text
    assert bool(finding.fix) is (severity is Severity.WARN)
    assert not has_failed(findings)
