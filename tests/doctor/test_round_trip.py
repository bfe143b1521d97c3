"""A test email that comes back: our signatures, and what the receiving server says."""

from __future__ import annotations

import pytest
from dkimverifier import verifies
from fakes import THURSDAY, FakeClock

from digestmail.bounces.mailboxes.maildir import MaildirMailbox
from digestmail.doctor.findings import Severity
from digestmail.doctor.round_trip import authentication_results, judge_returned, probe_round_trip
from digestmail.errors import TransportError
from digestmail.mail.dkim import Algorithm, SegmentSigner, Signer, generate
from digestmail.mail.dkim_verify import verify_ours

ID = "<daily.2026-04-02.abc@example.org>"
SHARED = (
    b"From: Digest <digest@example.org>\r\nSubject: Papers:  two   blanks\r\n of a folded line\r\n"
    b"List-Id: <d.example.org>\r\n"
)
OWN = f"To: a@example.org\r\nMessage-ID: {ID}\r\n".encode()
BODY = b"Hello\r\n\r\nworld \r\n"
RESULTS = (
    b"Authentication-Results: mx.example.net (a; b);\r\n dkim=pass header.d=example.org;\r\n"
    b" spf=pass smtp.mailfrom=x; dmarc=pass (p=none)\r\n"
)


@pytest.fixture(scope="module")
def signers():
    return tuple(
        Signer(domain="example.org", selector=f"digest-{each}", pem=generate(each))
        for each in (Algorithm.ED25519, Algorithm.RSA)
    )


@pytest.fixture
def message(signers) -> bytes:
    segment = SegmentSigner(signers, shared=SHARED, own_names=["To", "Message-ID"], body_start=b"")
    own = f"to:a@example.org\r\nmessage-id:{ID}\r\n".encode()
    return segment.sign(own, BODY, THURSDAY) + SHARED + OWN + b"\r\n" + BODY


def problems(raw: bytes, signers) -> list[str]:
    return [result.problem for result in verify_ours(raw, signers)]


def test_an_intact_message_verifies_as_another_verifier_says(message, signers):
    assert verifies(message, {one.record().name: one.record().value for one in signers}) == [True, True]
    assert problems(message, signers) == ["", ""]


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"\r\n", b"\n"),
        lambda raw: b"Received: from here\r\n by there\r\n" + RESULTS + raw,
        lambda raw: raw + b"\r\n\r\n",
        lambda raw: raw.replace(b"Subject: Papers:  two   blanks\r\n of", b"subject:Papers: two blanks of"),
    ],
    ids=["line ends of files", "fields of servers on the way", "empty lines at the end", "folding"],
)
def test_what_servers_may_change_breaks_nothing(message, signers, change):
    assert problems(change(message), signers) == ["", ""]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda raw: raw + b"-- \r\nfooter of a list\r\n", "the body was changed"),
        (lambda raw: raw.replace(b"world ", b"world"), "the body was changed"),
        (lambda raw: raw.replace(b"Subject: ", b"Subject: [list] "), "signed headers were changed"),
        (lambda raw: raw.replace(b"\r\nTo: ", b"\r\nSubject: another\r\nTo: "), "signed headers were changed"),
        (lambda raw: raw.replace(b"\r\n b=", b"\r\n b=AAAA"), "signed headers were changed"),
        (lambda raw: raw.replace(b"\r\n b=", b"\r\n b=!"), "the signature is damaged"),
    ],
)
def test_what_breaks_a_signature_is_named(message, signers, change, problem):
    assert all(found.startswith(problem) for found in problems(change(message), signers))
    assert len(problems(change(message), signers)) == 2


def test_other_signatures_are_not_ours(message, signers):
    other = (Signer(domain="example.net", selector="x", pem=generate(Algorithm.ED25519)),)
    assert verify_ours(message, other) == ()


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\n", b"DKIM-Signature: x\r\n\r\n", b"DKIM-Signature:\r\n\r\n", b"\0\xff"])
def test_damaged_messages_have_no_signature_of_ours(raw, signers):
    assert verify_ours(raw, signers) == ()


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("mx; spf=pass; dkim=pass; dmarc=pass", {"spf": "pass", "dkim": "pass", "dmarc": "pass"}),
        ('mx 1; DKIM = Fail (spf=pass) reason="x"', {"dkim": "fail"}),
        ("mx; dkim=fail header.d=a; dkim=pass header.d=b", {"dkim": "pass"}),
        ("mx; dkim=pass header.d=a; dkim=fail header.d=b", {"dkim": "pass"}),
        ("mx; spf/1=softfail smtp.mailfrom=dmarc=pass", {"spf": "softfail"}),
        ("mx; none", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_results_are_read_without_comments_and_properties(field, found):
    assert authentication_results(field) == found


def severities(raw: bytes, signers) -> list[Severity]:
    return [finding.severity for finding in judge_returned(raw, signers)]


@pytest.mark.parametrize(
    ("results", "severity"),
    [
        (RESULTS, Severity.OK),
        (b"", Severity.SKIP),
        (b"Authentication-Results: mx; spf=softfail; dkim=pass; dmarc=pass\r\n", Severity.WARN),
        (b"Authentication-Results: mx; spf=pass; dkim=pass; dmarc=fail\r\n", Severity.FAIL),
        (b"Authentication-Results: mx; spf=fail; dkim=fail\r\n", Severity.FAIL),
        (b"Authentication-Results: mx; spf=fail; dkim=fail; dmarc=fail\r\n" + RESULTS, Severity.FAIL),
    ],
)
def test_the_topmost_results_count(message, signers, results, severity):
    assert severities(results + message, signers) == [Severity.OK, Severity.OK, severity]


def test_a_signature_that_was_removed_or_never_there_is_a_failure(message, signers):
    bare = SHARED + OWN + b"\r\n" + BODY
    assert severities(bare, signers)[0] is Severity.FAIL
    assert severities(bare, ())[0] is Severity.FAIL
    assert severities(message, ()) == [Severity.SKIP], "another server signed it"


@pytest.fixture
def mailbox(tmp_path):
    for part in ("cur", "new", "tmp"):
        (tmp_path / part).mkdir()
    return MaildirMailbox(tmp_path, max_bytes=100_000)


def test_the_email_is_taken_out_of_the_mailbox_and_all_others_stay(mailbox, tmp_path, message, signers):
    clock = FakeClock()
    (tmp_path / "new/1").write_bytes(b"Subject: a bounce\r\nReferences: x\r\n\r\n" + ID.encode())

    def send() -> str:
        (tmp_path / "new/2").write_bytes(RESULTS + message)
        return "queued"

    found = list(probe_round_trip(send, mailbox, ID, signers, clock, patience=60.0))
    assert [one.severity for one in found] == [Severity.OK] * 4
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["1"]


def test_an_email_that_does_not_arrive_is_waited_for_only_so_long(mailbox, signers):
    clock = FakeClock()
    began = clock.time
    found = list(probe_round_trip(lambda: "queued", mailbox, ID, signers, clock, patience=60.0))
    assert [one.severity for one in found] == [Severity.OK, Severity.WARN]
    assert (clock.time - began).total_seconds() == 60


def test_without_a_mailbox_you_look_yourself(signers):
    found = list(probe_round_trip(lambda: "queued", None, ID, signers, FakeClock(), patience=60.0))
    assert [one.severity for one in found] == [Severity.OK, Severity.SKIP]


def test_an_email_that_is_not_accepted_is_an_error(mailbox, signers):
    def send() -> str:
        raise TransportError("refused")

    with pytest.raises(TransportError):
        list(probe_round_trip(send, mailbox, ID, signers, FakeClock(), patience=60.0))
