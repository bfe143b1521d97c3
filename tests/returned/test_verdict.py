from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.returned.report import Verdict
from digestmail.returned.verdict import judge


@pytest.mark.parametrize(
    ("status", "said", "code", "verdict"),
    [
        ("5.1.1", "", "5.1.1", Verdict.HARD),
        ("5.1.10", "null MX", "5.1.10", Verdict.HARD),
        ("5.0.0", "550 5.1.1 unknown", "5.1.1", Verdict.HARD),
        ("5.0.0", "550 no such user here", "5.0.0", Verdict.HARD),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied", "5.4.1", Verdict.HARD),
        ("5.4.4", "Host or domain name not found", "5.4.4", Verdict.HARD),
        (None, "550 unknown user", None, Verdict.HARD),
        # full, whatever the code
        ("5.2.2", "", "5.2.2", Verdict.SOFT),
        ("5.1.1", "mailbox is full", "5.1.1", Verdict.SOFT),
        ("5.0.0", "552 user is over quota", "5.0.0", Verdict.SOFT),
        # given up, but temporary
        ("4.4.7", "", "4.4.7", Verdict.SOFT),
        ("4.1.1", "unknown user", "4.1.1", Verdict.SOFT),
        (None, "451 no such user, try later", None, Verdict.SOFT),
        # ours
        ("5.7.1", "", "5.7.1", Verdict.OURS),
        ("5.7.26", "550-5.7.26 unauthenticated mail", "5.7.26", Verdict.OURS),
        ("5.7.515", "access denied", "5.7.515", Verdict.OURS),
        ("5.1.8", "sender address", "5.1.8", Verdict.OURS),
        ("5.6.0", "", "5.6.0", Verdict.OURS),
        ("5.0.0", "554 rejected as spam", "5.0.0", Verdict.OURS),
        ("5.0.0", "554 rejected by policy: unknown user agent", "5.0.0", Verdict.OURS),
        # nothing said
        ("5.3.4", "message too big", "5.3.4", Verdict.SOFT),
        (None, "", None, Verdict.SOFT),
        # numbers that are no codes
        (None, "host 192.0.5.1.1 said no", None, Verdict.SOFT),
        ("5.0.0", "250 2.0.0 was said before", "5.0.0", Verdict.SOFT),
    ],
)
def test_who_is_to_blame(status, said, code, verdict):
    assert judge(status, said) == (code, verdict)


@pytest.mark.parametrize(
    ("status", "said", "verdict"),
    [
        (None, "", Verdict.HARD),
        ("5.0.0", "550 no", Verdict.HARD),
        ("4.0.0", "", Verdict.SOFT),
        ("5.2.2", "", Verdict.SOFT),
        ("5.3.4", "", Verdict.SOFT),
        ("5.0.0", "550 spam", Verdict.OURS),
    ],
)
def test_where_nothing_tells_the_cause_somebody_else_s_word_counts(status, said, verdict):
    assert judge(status, said, otherwise=Verdict.HARD)[1] is verdict


@given(st.one_of(st.none(), st.text()), st.text())
def test_it_has_an_opinion_about_everything(status, said):
    code, verdict = judge(status, said)

    assert isinstance(verdict, Verdict)
    assert code is None or code[0] in "245"
