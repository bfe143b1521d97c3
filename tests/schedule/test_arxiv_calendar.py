from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.schedule.arxiv_calendar import (
    announcement_day,
    arxiv_announces_on,
    first_submission,
    published_calendar,
    surely_silent,
    why_silent,
)

EASTERN = ZoneInfo("America/New_York")


def at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def silent(begin: date, end: date) -> list[str]:
    days = [begin + timedelta(days=n) for n in range((end - begin).days)]
    return [f"{day:%m-%d}" for day in days if day.weekday() < 5 and not arxiv_announces_on(day)]


def test_feeds_are_empty_on_weekends():
    assert not any(arxiv_announces_on(date(2026, 4, day)) for day in (4, 5, 11, 12, 18, 19, 25, 26))
    assert all(arxiv_announces_on(date(2026, 4, day)) for day in (1, 2, 3, 6, 7, 8, 9, 10))


def test_the_feed_after_a_deferred_evening_is_empty_in_2026():
    assert silent(date(2026, 1, 1), date(2027, 1, 1)) == [
        "01-02", "01-20", "06-22", "07-06", "09-08", "11-27", "12-28", "12-30",
    ]  # fmt: skip


def test_other_years_know_the_holidays_that_are_always_kept():
    assert silent(date(2025, 1, 1), date(2026, 1, 1)) == ["01-02", "01-21", "06-20", "07-07", "09-02", "11-28", "12-26"]
    assert silent(date(2027, 1, 1), date(2028, 1, 1)) == [
        "01-01",
        "01-04",
        "01-19",
        "06-21",
        "07-06",
        "09-07",
        "11-26",
        "12-27",
    ]


def test_the_last_evening_of_2026_empties_the_first_feed_of_2027():
    assert not arxiv_announces_on(date(2027, 1, 1))


@pytest.mark.parametrize(
    ("submitted", "announced"),
    [
        ("2026-04-06 13:59", date(2026, 4, 7)),  # Monday before the cut-off: announced that evening
        ("2026-04-06 14:00", date(2026, 4, 8)),
        ("2026-04-02 13:59", date(2026, 4, 3)),
        ("2026-04-02 14:00", date(2026, 4, 6)),  # Thursday 14:00 to Friday 14:00: Sunday evening
        ("2026-04-03 13:59", date(2026, 4, 6)),
        ("2026-04-03 14:00", date(2026, 4, 7)),  # Friday 14:00 to Monday 14:00: Monday evening
        ("2026-04-05 20:00", date(2026, 4, 7)),
        ("2026-11-26 10:00", date(2026, 11, 30)),  # Thanksgiving's announcement comes with the next
    ],
)
def test_a_paper_is_announced_by_the_feed_its_submission_time_tells(submitted, announced):
    assert announcement_day(at(submitted, "America/New_York")) == announced


@given(st.datetimes(datetime(2020, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants them naive
def test_every_paper_is_announced_after_its_submission_on_a_day_with_papers(submitted):
    announced = announcement_day(submitted)
    assert arxiv_announces_on(announced)
    announcement = datetime.combine(announced, time(0), tzinfo=EASTERN)
    assert timedelta(hours=10) <= announcement - submitted.astimezone(EASTERN) < timedelta(days=9)
    assert announcement_day(submitted + timedelta(hours=1)) >= announced


def test_every_listed_evening_is_within_the_days_the_list_is_complete_for():
    known = published_calendar()
    assert known.deferred
    assert all(known.covers(day) for day in known.deferred)
    assert not known.covers(known.complete_until + timedelta(days=1))


@pytest.mark.parametrize(
    ("day", "why"),
    [
        (date(2026, 12, 26), "weekend"),
        (date(2026, 12, 25), ""),  # the announcement of Thursday evening
        (date(2026, 12, 28), "holiday, the announcement of 2026-12-25 was deferred"),
        (date(2026, 12, 29), ""),
        (date(2026, 12, 30), "holiday, the announcement of 2026-12-29 was deferred"),
        (date(2027, 1, 1), "holiday, the announcement of 2026-12-31 was deferred"),
    ],
)
def test_a_silent_day_has_its_reason(day, why):
    assert why_silent(day) == surely_silent(day) == why


def test_holidays_that_arxiv_has_not_published_are_expected_but_not_sure():
    new_year, saturday = date(2027, 1, 4), date(2027, 1, 9)
    assert why_silent(new_year) == "holiday, the announcement of 2027-01-01 was deferred"
    assert surely_silent(new_year) == ""
    assert surely_silent(saturday) == "weekend"


@given(st.dates(date(2024, 1, 1), date(2032, 1, 1)))
def test_nothing_submitted_earlier_is_announced_on_a_day_or_later(day):
    opens = first_submission(day)
    assert announcement_day(opens) >= day
    assert announcement_day(opens - timedelta(seconds=1)) < day
