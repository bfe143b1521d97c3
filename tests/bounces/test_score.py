from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY
from hypothesis import given
from hypothesis import strategies as st

from digestmail.bounces.score import Scoring, reaches_threshold, score
from digestmail.model.subscribers import BounceKind, CountedBounce

DEFAULT = Scoring()


def bounce(kind: BounceKind = BounceKind.SOFT, *, days_ago: float = 0, edition_id: int | None = None) -> CountedBounce:
    return CountedBounce(kind=kind, at=THURSDAY - timedelta(days=days_ago), edition_id=edition_id)


def test_one_address_that_is_not_there_is_enough():
    assert reaches_threshold(score([bounce(BounceKind.HARD)], THURSDAY, DEFAULT), DEFAULT)


def test_a_full_mailbox_is_enough_after_six_days_of_a_daily_digest():
    totals = [score([bounce(days_ago=day) for day in range(days)], THURSDAY, DEFAULT) for days in range(1, 8)]

    assert [reaches_threshold(total, DEFAULT) for total in totals] == [False] * 5 + [True] * 2


@pytest.mark.parametrize("scoring", [DEFAULT, Scoring(half_life_days=7)])
def test_it_is_half_as_much_after_a_half_life(scoring):
    assert score([bounce(BounceKind.HARD, days_ago=scoring.half_life_days)], THURSDAY, scoring) == pytest.approx(0.5)


def test_three_reports_about_one_edition_count_once_by_the_heaviest():
    reports = [bounce(edition_id=1), bounce(BounceKind.HARD, edition_id=1), bounce(edition_id=1)]

    assert score(reports, THURSDAY, DEFAULT) == 1.0


def test_complaints_and_forgiven_bounces_have_no_weight():
    assert score([bounce(BounceKind.COMPLAINT), bounce(BounceKind.FORGIVEN)], THURSDAY, DEFAULT) == 0


@given(st.lists(st.tuples(st.sampled_from(list(BounceKind)), st.floats(-10, 400), st.integers(1, 5))))
def test_time_never_makes_it_more(drawn):
    reports = [bounce(kind, days_ago=days, edition_id=edition) for kind, days, edition in drawn]
    now = score(reports, THURSDAY, DEFAULT)

    assert 0 <= score(reports, THURSDAY + timedelta(days=20), DEFAULT) <= now + 1e-12
    assert now <= 5
