from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from digestmail.delivery.backoff import next_attempt

START = datetime(2026, 4, 2, 7, 0, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)


def chance(seed: int = 1) -> Random:
    return Random(seed)


def pauses(give_up: timedelta, seed: int = 1) -> list[timedelta]:
    """Play a delivery that always fails and return the pauses between its attempts."""
    random, now, attempts, found = chance(seed), START, 1, []
    while (due := next_attempt(attempts, START, now, give_up, random)) is not None:
        found.append(due - now)
        now, attempts = due, attempts + 1
    return found


def test_pauses_double_from_five_minutes_to_four_hours():
    minutes = [pause / timedelta(minutes=1) for pause in pauses(timedelta(days=2))]
    for pause, least in zip(minutes[:9], (5, 10, 20, 40, 80, 160, 240, 240, 240), strict=True):
        assert least <= pause <= least * 1.25


def test_a_delivery_is_tried_until_the_time_is_up_and_not_longer():
    tried = pauses(timedelta(hours=24))
    assert sum(tried, timedelta()) == timedelta(hours=24)
    assert 8 <= len(tried) <= 13


def test_what_failed_together_does_not_come_back_together():
    random = chance()
    due = {next_attempt(3, START, START, timedelta(days=1), random) for _ in range(100)}
    assert len(due) == 100


def test_without_five_minutes_left_it_gives_up():
    assert next_attempt(1, START, START + timedelta(minutes=56), timedelta(hours=1), chance()) is None
    assert next_attempt(1, START, START + timedelta(days=3), timedelta(hours=1), chance()) is None
    assert next_attempt(1, START, START + timedelta(minutes=55), timedelta(hours=1), chance()) == START + timedelta(
        hours=1
    )


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6), st.integers())
def test_the_next_attempt_lies_between_five_minutes_ahead_and_the_end(attempts, age, give_up, seed):
    now, limit = START + timedelta(seconds=age), timedelta(seconds=give_up)
    due = next_attempt(attempts, START, now, limit, chance(seed))
    if due is None:
        assert START + limit - now < FIVE_MINUTES
    else:
        assert now + FIVE_MINUTES <= due <= min(START + limit, now + timedelta(hours=5))
