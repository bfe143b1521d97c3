"""A year of daily slots and readers in zones with odd rules: every local day has one email, at the chosen hour."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from digestmail.model.digests import Schedule
from digestmail.schedule.cron import next_fire
from digestmail.schedule.moments import LONGEST_DELIVERY
from digestmail.schedule.reader_hours import due_at

ODD_ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Apia",  # UTC+13, without daylight saving time since 2021
    "Australia/Lord_Howe",  # half an hour of daylight saving time
    "Africa/Casablanca",  # an hour back in Ramadan
    "America/Sao_Paulo",
    "Asia/Tehran",
    "Pacific/Chatham",  # UTC+12:45, changes at 02:45
    "Antarctica/Troll",  # two hours of daylight saving time
    "Europe/Dublin",  # standard time is in summer
)
SCHEDULES = (
    Schedule(cron="0 7 * * *", timezone="Europe/Berlin"),
    Schedule(cron="30 2 * * *", timezone="Europe/Berlin"),  # skipped on 29 March
    Schedule(cron="0 3 * * *", timezone="Europe/Berlin"),
    Schedule(cron="20 23 * * *", timezone="America/New_York"),
    Schedule(cron="30 2 * * *", timezone="Antarctica/Troll"),
    Schedule(cron="15 2 * * *", timezone="Australia/Lord_Howe"),
    Schedule(cron="0 0 * * *", timezone="Pacific/Chatham"),
    Schedule(cron="0 12 * * *", timezone="Africa/Casablanca"),
)


@cache
def year(schedule: Schedule) -> tuple[datetime, ...]:
    moment, found = datetime(2025, 12, 28, tzinfo=UTC), []
    while moment < datetime(2027, 1, 4, tzinfo=UTC):
        moment = next_fire(schedule, moment)
        found.append(moment)
    return tuple(found)


def hours_around(schedule: Schedule, zone: str) -> list[int]:
    """Return the hours at which the change of clocks may matter: those near the slot's, and those near a change."""
    near = year(schedule)[0].astimezone(ZoneInfo(zone)).hour
    return sorted({(near + n) % 24 for n in range(-3, 4)} | {0, 2, 3, 23})


def intended_day(due: datetime, at: datetime, hour: int, zone: str) -> date:
    """Return the local day of an email. If it is due at once, because its hour has passed, it may be past midnight."""
    local = due.astimezone(ZoneInfo(zone))
    late = timedelta(hours=(local.hour - hour) % 24 if due == at else 0)
    return (local.replace(tzinfo=None) - late).date()


@pytest.mark.parametrize("zone", ODD_ZONES)
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda one: f"{one.cron[:5]} {one.timezone}")
def test_every_day_of_the_year_has_one_email(schedule, zone):
    expected = {date(2026, 1, 1) + timedelta(days=n): 1 for n in range(365)}
    for hour in hours_around(schedule, zone):
        due = [due_at(schedule, at, hour, zone) for at in year(schedule)]
        days = Counter(intended_day(moment, at, hour, zone) for moment, at in zip(due, year(schedule), strict=True))
        assert {day: days[day] for day in expected} == expected, hour
        assert all(one < other for one, other in pairwise(due))
        late = [moment - at for moment, at in zip(due, year(schedule), strict=True)]
        assert timedelta(0) <= min(late)
        assert max(late) <= LONGEST_DELIVERY


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_it_comes_at_the_hour_or_at_once_if_the_slot_is_later_by_the_change_of_clocks(zone):
    reader, slots = ZoneInfo(zone), year(SCHEDULES[0])
    for hour in hours_around(SCHEDULES[0], zone):
        for at in slots:
            due = due_at(SCHEDULES[0], at, hour, zone)
            local = due.astimezone(reader)
            if due > at:
                begins = datetime.combine(local.date(), time(hour), reader)
                skipped = begins.astimezone(UTC).astimezone(reader).replace(tzinfo=None) != begins.replace(tzinfo=None)
                assert local.hour == hour or skipped
                assert local.fold == 0, "an hour that comes twice counts at first"
            else:
                assert 0 <= (local.hour - hour) % 24 <= 2, "as far as the clocks of two zones drift apart"


@pytest.mark.parametrize(
    ("slot", "hour", "zone", "due"),
    [
        ("2026-01-15T06:00", 1, "America/New_York", "2026-01-15T06:00"),  # one o'clock in New York
        ("2026-03-16T06:00", 1, "America/New_York", "2026-03-16T06:00"),  # two o'clock for two weeks: an hour late
        ("2026-03-28T06:00", 2, "Europe/Berlin", "2026-03-29T01:00"),  # skipped: three o'clock
        ("2026-10-24T05:00", 2, "Europe/Berlin", "2026-10-25T00:00"),  # comes twice: the first time
        ("2026-10-03T05:00", 2, "Australia/Lord_Howe", "2026-10-03T15:30"),  # half of it is skipped: half past two
        ("2026-02-14T06:00", 6, "Africa/Casablanca", "2026-02-15T06:00"),  # the hour in Ramadan
    ],
)
def test_the_email_of_a_slot_at_seven_in_berlin(slot, hour, zone, due):
    at, expected = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (slot, due))
    assert due_at(SCHEDULES[0], at, hour, zone) == expected
