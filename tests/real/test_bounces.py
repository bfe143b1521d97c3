"""Every recorded bounce, complaint and auto-reply through the real reader."""

from __future__ import annotations

import pytest
from bouncecorpus import confusion, flufl, sisimai
from replaying import DATA, needs_shared

from digestmail.returned.reading import read
from digestmail.returned.report import Kind, Verdict

pytestmark = needs_shared

BOUNCES = DATA / "bounces"


def test_every_hard_bounce_is_told_from_everything_else():
    cases = list(sisimai(BOUNCES))
    table = confusion(cases)
    for (expected, found), count in sorted(table.items()):
        print(f"{expected:14} {found:14} {count:3}")  # noqa: T201 - shown with pytest -s

    assert len(cases) == 51
    for case in cases:
        hard = sum(failure.verdict is Verdict.HARD for failure in case.returned.failures)
        assert hard == case.hard, case.name


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
        evidence = read(path.read_bytes()).evidence
        assert (evidence.return_paths, evidence.message_ids) == ((), ()), path.name
