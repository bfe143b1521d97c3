from __future__ import annotations

import pytest

from digestmail.model.deliveries import Manner
from digestmail.transports.smtp.manners import Manners, dies_of_it, face

KEYWORDS = ("pipelining", "size", "8bitmime")


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("mx.example.org ESMTP Exim 4.96 Thu, 02 Apr 2026 07:00:01 +0000", "mx2 ESMTP Exim 4.96 Fri, 03 Apr 2026"),
        ("mx.example.org ESMTP Haraka/3.1.0 ready (A89233)", "mx.example.org ESMTP Haraka/3.1.0 ready (DDA55D)"),
        ("mx.example.com ESMTP a640c23a62f3a-12.9 - gsmtp", "mx.example.com ESMTP b0f12c23a62f3-77.1 - gsmtp"),
        ("mail.example.org ESMTP Postfix", "mail.example.org ESMTP Postfix"),
    ],
)
def test_a_face_is_the_same_on_every_connection(one, another):
    assert face(one, KEYWORDS) == face(another, reversed(KEYWORDS))


@pytest.mark.parametrize(
    ("one", "another", "keywords"),
    [
        ("mx ESMTP Haraka/3.1.0 ready", "mx ESMTP Haraka/3.2.0 ready", KEYWORDS),
        ("mx ESMTP Exim 4.96 today", "mx ESMTP Exim 4.98.1 today", KEYWORDS),
        ("mx ESMTP", "mx ESMTP", (*KEYWORDS, "chunking")),
    ],
)
def test_a_face_changes_with_the_software_and_what_it_offers(one, another, keywords):
    assert face(one, KEYWORDS) != face(another, keywords)


def test_a_face_fits_a_row_whatever_a_server_says():
    assert len(face("x" * 5000, ["keyword" * 300] * 10)) <= 1000


@pytest.mark.parametrize(
    ("greeting", "dialect", "dies"),
    [
        ("mail.example.org Dovecot ready.", "smtp", True),
        ("mail.example.org Dovecot (Debian) ready.", "smtp", True),
        ("mail.example.org Dovecot (Debian) ready.", "lmtp", False),
        ("mail.example.org ESMTP Postfix", "smtp", False),
    ],
)
def test_dovecot_s_submission_server_is_not_tried(greeting, dialect, dies):
    assert dies_of_it(greeting, dialect) is dies


@pytest.fixture
def told():
    return []


@pytest.fixture
def manners(told):
    found = Manners(trial_after=3)
    found.begin({}, lambda name, manner: told.append((name, manner)))
    return found


def test_a_trial_is_asked_for_once_after_so_many_messages(manners, told):
    terms = manners.meet("a", offered=True)
    for _ in range(9):
        assert not terms.may_go_behind()
        terms.took()
    assert told == [("a", Manner.TRIAL)]


def test_one_connection_tries_and_the_others_wait_until_it_is_known(manners, told):
    one, other = manners.meet("a", offered=True), manners.meet("a", offered=True)
    manners.allow("a")
    assert one.may_go_behind()
    assert not other.may_go_behind()
    one.answered()
    assert told == [("a", Manner.BEHIND_DOT)]
    assert one.may_go_behind()
    assert other.may_go_behind()


def test_each_connection_proves_itself_while_no_other_does(manners):
    manners.begin({"a": Manner.BEHIND_DOT}, lambda *_: None)
    first, second, third = (manners.meet("a", offered=True) for _ in range(3))
    assert first.may_go_behind()
    assert not second.may_go_behind()
    first.release()  # it ended before it could
    assert second.may_go_behind()
    second.answered()
    assert third.may_go_behind()
    third.refused()
    assert not any(terms.may_go_behind() for terms in (first, second, third))
    assert all(terms.pipelines for terms in (first, second, third))


def test_what_another_worker_learned_counts_unless_it_is_better(manners):
    terms = manners.meet("a", offered=True)
    manners.remember({"a": Manner.TRIAL})
    assert not terms.may_go_behind()
    manners.remember({"a": Manner.BEHIND_DOT})
    assert terms.may_go_behind()
    manners.remember({"a": Manner.WITHIN})
    assert not terms.may_go_behind()
    manners.remember({"a": Manner.BEHIND_DOT})
    assert not terms.may_go_behind()
    manners.remember({"a": Manner.NEVER})
    assert not terms.pipelines


def test_nothing_is_pipelined_that_is_not_offered(manners):
    terms = manners.meet("a", offered=False)
    manners.allow("a")
    assert not terms.pipelines
    assert not terms.may_go_behind()
