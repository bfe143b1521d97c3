"""Every recorded bounce, complaint and auto-reply through the real reader."""

from __future__ import annotations

import csv

import pytest
from bounce_corpus import confusion, flufl, sisimai
from replaying import DATA, needs_shared

from digestmail.bounces.mailboxes.mbox import MboxMailbox
from digestmail.bounces.parsing.parse import read
from digestmail.bounces.parsing.report import BounceClass, Kind

pytestmark = needs_shared

BOUNCES = DATA / "bounces"


def test_every_hard_bounce_is_told_from_everything_else():
    cases = list(sisimai(BOUNCES))
    table = confusion(cases)
    for (expected, found), count in sorted(table.items()):
        print(f"{expected:14} {found:14} {count:3}")  # noqa: T201 - shown with pytest -s

    assert len(cases) == 51
    for case in cases:
        hard = sum(failure.verdict is BounceClass.HARD for failure in case.returned.failures)
        assert hard == case.hard, case.name


POLICY = ("blocked", "contenterror", "policyviolation", "rejected", "speeding", "toomanyconn", "virusdetected")


def test_a_policy_is_never_held_against_a_reader():
    with (BOUNCES / "sisimai_expected.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    alone = {row["file"] for row in rows if sum(row["file"] == other["file"] for other in rows) == 1}
    found = {
        row["file"]: [failure.verdict for failure in read((BOUNCES / "sisimai" / row["file"]).read_bytes()).failures]
        for row in rows
        if row["reason"] in POLICY and row["file"] in alone
    }
    soft = [name for name, verdicts in found.items() if verdicts != [BounceClass.SENDER_FAULT]]

    assert len(found) == 10
    assert soft == ["lhost-googlegroups-01.eml"], "the group may not exist, or not let us in: it does not say which"


CASES = DATA.parent / "cases"


def of_cases() -> list[tuple[str, str]]:
    path = CASES / "54-bounces" / "expected.tsv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["file"], row["expected"]) for row in csv.DictReader(file, delimiter="\t")]


@pytest.mark.parametrize(("name", "expected"), of_cases())
def test_what_was_misjudged_is_judged_as_it_should_be(name, expected, capfd):
    returned = read((CASES / "54-bounces" / name).read_bytes())

    first = expected.split(",")[0].split()[0]
    wanted = BounceClass.SENDER_FAULT if first == "ours" else first
    assert ([str(one.verdict) for one in returned.failures] or [str(returned.kind)]) == [wanted]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("exim-local", [BounceClass.HARD]),
        ("opensmtpd-unknown", [BounceClass.HARD]),
        ("opensmtpd-expired", [BounceClass.SOFT]),
        ("smtputf8-unknown", [BounceClass.HARD]),
        ("nofrom", []),
    ],
)
def test_the_reports_of_real_servers_are_read(name, expected, capfd):
    returned = read((CASES / "60-real-servers" / f"{name}.eml").read_bytes())

    assert [one.verdict for one in returned.failures] == expected
    assert len(returned.proof.return_paths) == len(expected), "whose it is"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("name", "kinds"), [("procmail", ["bounce"]), ("dovecot", ["bounce", "bounce", "auto-reply"])])
def test_mailboxes_of_real_servers_are_split_where_their_mails_begin(name, kinds):
    mails = MboxMailbox(CASES / "60-real-servers" / f"{name}.mbox", max_bytes=400_000).messages()

    assert [str(read(mail.raw).kind) for mail in mails] == kinds


def test_no_auto_reply_delay_or_complaint_counts_as_a_bounce():
    for case in sisimai(BOUNCES):
        if case.expected in {"complaint", "auto-reply", "nothing"}:
            assert case.returned.failures == (), case.name
    kinds = {case.name: case.returned.kind for case in sisimai(BOUNCES)}
    assert {kind for name, kind in kinds.items() if name.startswith("rfc3834")} == {Kind.AUTO_REPLY}
    assert {kind for name, kind in kinds.items() if name.startswith("arf")} == {Kind.COMPLAINT, Kind.FEEDBACK}
    assert [name for name, kind in kinds.items() if kind is Kind.FEEDBACK] == ["arf-18.eml"], "auth-failure"


def test_what_is_only_late_is_no_failure_and_what_failed_is_one():
    for case in flufl(BOUNCES):
        kind = Kind.DELAYED if case.expected == "delayed" else Kind.BOUNCE
        assert case.returned.kind is kind, case.name


@pytest.mark.parametrize("name", ["arf-01", "lhost-gmail-01"])
def test_line_ends_do_not_matter(name):
    unix = read((BOUNCES / "sisimai" / f"{name}.eml").read_bytes())
    dos = read((BOUNCES / "variants" / f"sisimai_dos__{name}.eml").read_bytes())

    assert (dos.kind, dos.failures) == (unix.kind, unix.failures)


@pytest.mark.parametrize("number", [1, 2])
def test_a_mail_that_is_no_bounce_is_none(number):
    raw = (BOUNCES / "variants" / f"sisimai_not_bounce__is-not-bounce-0{number}.eml").read_bytes()

    assert read(raw).kind is Kind.OTHER


def test_no_recorded_mail_is_about_a_subscriber_of_ours():
    for path in BOUNCES.glob("*/*.*"):
        proof = read(path.read_bytes()).proof
        assert (proof.return_paths, proof.message_ids) == ((), ()), path.name
