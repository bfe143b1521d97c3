"""Problems are announced once when they last, and once when they are over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.model.incidents import Incident
from digestmail.status.incidents import follow, is_quiet, key_of

NOW = datetime(2026, 4, 2, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
AFTER = timedelta(minutes=45)
PROBLEM = "source arxiv was last read 3 days ago"


def day(*problems: tuple[str, ...], quiet: frozenset[int] = frozenset(), fail: frozenset[int] = frozenset()):
    """Return what is announced hour by hour: (began, ended), if alerts fail in some hours and are quiet in others."""
    known: tuple[Incident, ...] = ()
    said = []
    for hour, there in enumerate(problems):
        news = follow(known, there, NOW + hour * HOUR, after=AFTER, is_quiet=hour in quiet)
        began, ended = tuple(one.text for one in news.began), tuple(one.text for one in news.ended)
        known = news.kept if hour in fail or not (began or ended) else news.kept_when_announced
        said.append((began, ended))
    return said


def test_a_problem_is_announced_when_it_lasts_and_when_it_is_over():
    assert day((PROBLEM,), (PROBLEM,), (PROBLEM,), (), ()) == [
        ((), ()),
        ((PROBLEM,), ()),
        ((), ()),
        ((), (PROBLEM,)),
        ((), ()),
    ]


def test_a_problem_that_is_over_soon_is_never_heard_of():
    assert day((PROBLEM,), (), (PROBLEM,), ()) == [((), ())] * 4


def test_counts_and_dates_do_not_make_another_problem():
    later = "source arxiv was last read 12 days ago"
    paused = (
        "relay is paused until Thu 2026-04-02 10:00 UTC: 451 later",
        "relay is paused until Fri 2026-04-03 09:00 UTC: 451 later",
    )
    assert key_of(PROBLEM) == key_of(later)
    assert key_of(paused[0]) == key_of(paused[1])
    assert key_of(PROBLEM) != key_of("source huggingface was last read 3 days ago")
    assert day((PROBLEM,), (PROBLEM,), (later,), ())[2:] == [((), ()), ((), (later,))]


def test_an_alert_that_fails_is_sent_with_the_next_run():
    assert day((PROBLEM,), (PROBLEM,), (PROBLEM,), fail=frozenset({1})) == [
        ((), ()),
        ((PROBLEM,), ()),
        ((PROBLEM,), ()),
    ]
    assert day((PROBLEM,), (PROBLEM,), (), (), fail=frozenset({2}))[2:] == [((), (PROBLEM,)), ((), (PROBLEM,))]


def test_in_quiet_hours_nothing_is_announced_and_what_is_over_by_then_never():
    quiet = frozenset({1, 2})
    assert day((PROBLEM,), (PROBLEM,), (PROBLEM,), (PROBLEM,), quiet=quiet)[3] == ((PROBLEM,), ())
    assert day((PROBLEM,), (PROBLEM,), (), (), quiet=quiet) == [((), ())] * 4
    assert day((PROBLEM,), (PROBLEM,), (), (), quiet=frozenset({2}))[2:] == [((), ()), ((), (PROBLEM,))]


def test_a_problem_that_comes_back_before_its_end_was_announced_is_still_the_same():
    assert day((PROBLEM,), (PROBLEM,), (), (PROBLEM,), quiet=frozenset({2}))[2:] == [((), ()), ((), ())]


def test_what_a_clock_of_the_future_wrote_is_announced_at_once():
    known = [Incident(key=key_of(PROBLEM), text=PROBLEM, began_at=NOW + 1000 * HOUR)]
    assert [one.text for one in follow(known, [PROBLEM], NOW, after=AFTER, is_quiet=False).began] == [PROBLEM]


@given(st.lists(st.sets(st.sampled_from(["a", "b", "c"])), max_size=12))
def test_what_begins_and_what_ends_alternate(hours):
    heard: dict[str, int] = {}
    for began, ended in day(*(tuple(sorted(there)) for there in hours)):
        for text in began:
            heard[text] = heard.get(text, 0) + 1
        for text in ended:
            heard[text] -= 1
        assert set(heard.values()) <= {0, 1}


@pytest.mark.parametrize(
    ("hours", "hour", "quiet"),
    [
        (None, 3, False),
        ((22, 7), 22, True),
        ((22, 7), 6, True),
        ((22, 7), 7, False),
        ((1, 5), 4, True),
        ((1, 5), 5, False),
        ((0, 0), 0, False),
    ],
)
def test_quiet_hours_may_cross_midnight(hours, hour, quiet):
    assert is_quiet(hours, "UTC", NOW.replace(hour=hour)) is quiet


def test_quiet_hours_are_in_their_time_zone():
    assert is_quiet((22, 7), "Asia/Tokyo", NOW.replace(hour=14))
    assert not is_quiet((22, 7), "Asia/Tokyo", NOW.replace(hour=2))
