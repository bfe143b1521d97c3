from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.errors import ConfigError
from digestmail.model.digests import Cadence, Schedule
from digestmail.schedule.cron import (
    check_cron,
    current_slot,
    next_fire,
    next_hour,
    open_until,
)
from digestmail.schedule.timezones import check_timezone

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Pacific/Apia")


def check_schedule(schedule: Schedule) -> str | None:
    return check_cron(schedule.cron) or check_timezone(schedule.timezone)


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def fires(schedule: Schedule, begin: datetime, end: datetime) -> list[datetime]:
    found = []
    moment = next_fire(schedule, begin)
    while moment < end:
        found.append(moment)
        moment = next_fire(schedule, moment)
    return found


def local_fires(cron: str, zone: str, begin: str, end: str) -> list[str]:
    found = fires(Schedule(cron=cron, timezone=zone), at(begin, zone) - timedelta(seconds=1), at(end, zone))
    return [f"{moment.astimezone(ZoneInfo(zone)):%m-%d %H:%M}" for moment in found]


# -- slots -----------------------------------------------------------------------------------------------------------


def test_the_slot_of_a_daily_digest_is_named_by_its_local_date():
    slot = current_slot(Schedule(cron="0 7 * * *", timezone="Asia/Tokyo"), at("2026-04-02 23:30"))
    assert slot is not None
    assert (slot.key, slot.day, slot.at) == ("2026-04-03", date(2026, 4, 3), at("2026-04-02 22:00"))


def test_a_slot_begins_in_the_minute_it_fires():
    daily = Schedule(cron="0 7 * * *", timezone="UTC")
    before, sharp = current_slot(daily, at("2026-04-02 06:59:59.999999")), current_slot(daily, at("2026-04-02 07:00"))
    assert (before and before.key, sharp and sharp.key) == ("2026-04-01", "2026-04-02")
    assert next_fire(daily, at("2026-04-02 07:00")) == at("2026-04-03 07:00")
    assert next_fire(daily, at("2026-04-02 06:59:59.5")) == at("2026-04-02 07:00")


@pytest.mark.parametrize(("hour", "key"), [(12, "2026-04-02T07:30"), (20, "2026-04-02T17:30")])
def test_a_schedule_that_fires_more_than_daily_has_the_time_in_its_key(hour, key):
    slot = current_slot(Schedule(cron="30 7,17 * * *", timezone="Europe/Berlin"), at(f"2026-04-02 {hour}:00"))
    assert slot is not None
    assert slot.key == key


def test_weekdays_are_numbered_as_cron_numbers_them():
    assert local_fires("0 7 * * 1-5", "UTC", "2026-04-02 00:00", "2026-04-08 00:00") == [
        "04-02 07:00", "04-03 07:00", "04-06 07:00", "04-07 07:00",
    ]  # fmt: skip
    for sunday in ("0", "7", "SUN"):
        assert local_fires(f"0 7 * * {sunday}", "UTC", "2026-04-01 00:00", "2026-04-13 00:00") == [
            "04-05 07:00",
            "04-12 07:00",
        ]


def test_day_of_month_and_weekday_are_joined_by_or_as_cron_joins_them():
    found = local_fires("0 7 1 * 1", "UTC", "2026-04-01 00:00", "2026-04-14 00:00")
    assert found == ["04-01 07:00", "04-06 07:00", "04-13 07:00"]


@pytest.mark.parametrize(
    ("zone", "begin", "end", "cron", "expected"),
    [
        ("Europe/Berlin", "2026-03-28 12", "2026-03-30 12", "30 2 * * *", ["03-29 03:00", "03-30 02:30"]),
        ("Europe/Berlin", "2026-10-24 12", "2026-10-26 12", "30 2 * * *", ["10-25 02:30", "10-26 02:30"]),
        (
            "Europe/Berlin",
            "2026-10-25 01",
            "2026-10-25 05",
            "0 * * * *",
            [f"10-25 0{hour}:00" for hour in (1, 2, 3, 4)],
        ),
        ("Europe/Berlin", "2026-03-29 01", "2026-03-29 05", "0 * * * *", [f"03-29 0{hour}:00" for hour in (1, 3, 4)]),
        ("America/New_York", "2026-03-07 12", "2026-03-09 12", "15 2 * * *", ["03-08 03:00", "03-09 02:15"]),
        ("America/New_York", "2026-11-01 00", "2026-11-02 00", "30 1 * * *", ["11-01 01:30"]),
        ("Australia/Lord_Howe", "2026-10-04 00", "2026-10-05 00", "15 2 * * *", ["10-04 02:30"]),
        ("Australia/Lord_Howe", "2026-04-05 00", "2026-04-06 00", "45 1 * * *", ["04-05 01:45"]),
        ("Pacific/Apia", "2011-12-29 00", "2012-01-01 12", "0 7 * * *", ["12-29 07:00", "12-31 00:00", "01-01 07:00"]),
    ],
)
def test_a_skipped_hour_fires_once_and_a_repeated_hour_fires_once(zone, begin, end, cron, expected):
    assert local_fires(cron, zone, begin, end) == expected


@pytest.mark.parametrize("fold", [0, 1])
def test_inside_the_repeated_hour_the_slot_is_the_one_that_began_first(fold):
    daily = Schedule(cron="30 2 * * *", timezone="Europe/Berlin")
    slot = current_slot(daily, at("2026-10-25 02:45", "Europe/Berlin", fold))
    assert slot is not None
    assert slot.at == at("2026-10-25 02:30", "Europe/Berlin")
    assert next_fire(daily, at("2026-10-25 02:10", "Europe/Berlin", fold=1)) == at("2026-10-26 02:30", "Europe/Berlin")


def scanned(schedule: Schedule, begin: datetime, end: datetime) -> list[datetime]:
    """Return when a new slot begins, looking once a minute as a machine that never sleeps would."""
    found, minute = [], begin
    before = current_slot(schedule, begin - timedelta(minutes=1))
    while minute < end:
        slot = current_slot(schedule, minute)
        if slot is not None and (before is None or slot.key != before.key):
            found.append(minute)
        before, minute = slot, minute + timedelta(minutes=1)
    return found


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-03-28", ["02:00", "02:10", "02:20", "02:30", "02:40", "02:50"]),
        ("2026-03-29", ["03:00"]),
        ("2026-10-25", ["02:00", "02:10", "02:20", "02:30", "02:40", "02:50"]),
    ],
)
def test_ten_minutes_of_a_skipped_hour_are_one_slot_and_those_of_a_repeated_hour_come_once(day, expected):
    zone = "Europe/Berlin"
    begin, end = at(f"{day} 00:00", zone), at(f"{day} 05:00", zone)
    schedule = Schedule(cron="*/10 2 * * *", timezone=zone)
    begins = scanned(schedule, begin, end)
    assert [f"{moment.astimezone(ZoneInfo(zone)):%H:%M}" for moment in begins] == expected
    assert begins == fires(schedule, begin - timedelta(seconds=1), end)
    assert all(moment.astimezone(ZoneInfo(zone)).fold == 0 for moment in begins)


@pytest.mark.parametrize(
    ("nickname", "line"),
    [
        ("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"), ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"), ("@annually", "0 0 1 1 *"), (" @Daily ", "0 0 * * *"),
    ],
)  # fmt: skip
def test_a_nickname_means_the_line_that_crontab_gives_it(nickname, line):
    named, written = Schedule(cron=nickname, timezone="UTC"), Schedule(cron=line, timezone="UTC")
    now = at("2026-04-02 12:34")
    assert check_cron(nickname) is None
    assert (current_slot(named, now), next_fire(named, now)) == (current_slot(written, now), next_fire(written, now))


@pytest.mark.parametrize("line", ["@reboot", "@fortnightly", "@daily 7", "@", ""])
def test_what_is_no_nickname_is_refused_with_those_there_are(line):
    said = check_cron(line)
    assert said is not None
    assert "@daily" in said


CHANGES = ("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04", "2011-12-30")
QUIET = "2026-06-15"
moments = st.builds(
    lambda day, seconds: at(f"{day} 00:00") + timedelta(seconds=seconds),
    st.sampled_from((*CHANGES, QUIET)),
    st.integers(-2 * 86_400, 2 * 86_400),
)
crons = st.builds(
    "{} {} * * {}".format,
    st.sampled_from(["0", "15", "30", "45", "0,30", "*/15", "*/20"]),
    st.sampled_from(["0", "1", "2", "3", "1-3", "2,3", "*/2", "*", "7"]),
    st.sampled_from(["*", "1-5", "0", "6,7"]),
)
schedules = st.builds(Schedule, cron=crons, timezone=st.sampled_from(ZONES))


@settings(deadline=None)
@given(schedules, moments)
def test_a_slot_lasts_until_the_next_fire(schedule, now):
    current, coming = current_slot(schedule, now), next_fire(schedule, now)
    assert current is not None
    assert current.at <= now < coming
    begun = current_slot(schedule, coming)
    assert begun is not None
    assert begun.at == coming
    assert begun.key != current.key
    assert current_slot(schedule, coming - timedelta(microseconds=1)) == current


@settings(deadline=None, max_examples=50)
@given(schedules, moments)
def test_keys_are_unique_and_sorted(schedule, begin):
    found = [current_slot(schedule, moment) for moment in fires(schedule, begin, begin + timedelta(hours=12))]
    keys = [slot.key for slot in found if slot is not None]
    assert keys == sorted(set(keys))


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(ZONES), st.sampled_from(["0", "30", "0,30", "15", "45"]), moments)
def test_a_schedule_of_every_hour_fires_at_every_local_time_there_is_once(zone, minutes, begin):
    end = begin + timedelta(hours=8)
    wanted = {int(minute) for minute in minutes.split(",")}
    start = begin.replace(second=0, microsecond=0) + timedelta(minutes=1)
    clock = [(start + timedelta(minutes=n)).astimezone(ZoneInfo(zone)) for n in range(8 * 60)]
    expected = [local.astimezone(UTC) for local in clock if local.minute in wanted and local.fold == 0]
    assert fires(Schedule(cron=f"{minutes} * * * *", timezone=zone), begin, end) == [m for m in expected if m < end]


def test_a_schedule_that_fires_rarely_is_found_years_back():
    slot = current_slot(Schedule(cron="0 7 29 2 *", timezone="UTC"), at("2027-12-31 00:00"))
    assert slot is not None
    assert slot.key == "2024-02-29"


# -- checking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cron", ["0 7 * * *", "*/15 6-18 * * MON-FRI", "0 7 1 JAN *", "0 7 * * 1,3,5", "0 7 L * *"])
def test_a_good_schedule_has_nothing_wrong(cron):
    assert check_schedule(Schedule(cron=cron, timezone="Europe/Berlin")) is None


@pytest.mark.parametrize(
    ("cron", "zone", "says"),
    [
        ("0 7 * *", "UTC", "five fields"),
        ("0 0 7 * * *", "UTC", "five fields"),
        ("0 25 * * *", "UTC", "bad hour"),
        ("0 7 * * 8", "UTC", "bad day-of-week"),
        ("0 7 * * MONDAY", "UTC", "bad day-of-week"),
        ("0 7 30 2 *", "UTC", "bad day-of-month"),
        ("0 0 */29 2 1#5", "UTC", "never fires"),
        ("0 7 * * *", "Europe/Berlni", "did you mean 'Europe/Berlin'?"),
        ("0 7 * * *", "../etc/passwd", "no time zone"),
        ("0 7 * * *", "Europe", "no time zone"),
        ("0 7 * * *", "", "no time zone"),
        ("0 7 * * *", "a\0b", "no time zone"),
        ("9" * 5000 + " 7 * * *", "UTC", "no crontab line"),
    ],
)
def test_a_bad_schedule_is_explained_in_a_sentence(cron, zone, says):
    wrong = check_schedule(Schedule(cron=cron, timezone=zone))
    assert wrong is not None
    assert says in wrong


@settings(deadline=None)
@given(st.lists(st.text("0123456789*/,-#LWMONFRI", max_size=8), min_size=5, max_size=5), st.sampled_from(ZONES))
def test_whatever_passes_the_check_can_be_used(fields, zone):
    schedule = Schedule(cron=" ".join(fields), timezone=zone)
    if check_schedule(schedule) is None:
        assert next_fire(schedule, at("2026-04-02 12:00")) > at("2026-04-02 12:00")


def test_a_schedule_that_never_fires_has_no_slot():
    never = Schedule(cron="0 0 */29 2 1#5", timezone="UTC")
    assert current_slot(never, at("2026-04-02 12:00")) is None
    with pytest.raises(ConfigError, match="never fires"):
        next_fire(never, at("2026-04-02 12:00"))


def test_a_slot_stays_open_half_way_to_the_next_one():
    daily = Schedule(cron="0 7 * * *", timezone="UTC")
    slot = current_slot(daily, datetime(2026, 4, 2, 8, tzinfo=UTC))
    assert open_until(daily, slot) == datetime(2026, 4, 2, 19, tzinfo=UTC)
    weekly = Schedule(cron="0 7 * * 6", timezone="UTC")
    slot = current_slot(weekly, datetime(2026, 4, 6, 8, tzinfo=UTC))
    assert open_until(weekly, slot) == datetime(2026, 4, 7, 19, tzinfo=UTC)


# -- the hour a subscriber chose -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "zone", "after", "due"),
    [
        (7, "Europe/Berlin", "2026-04-02T05:20", "2026-04-02T05:20"),  # the hour has begun
        (7, "Europe/Berlin", "2026-04-02T06:00", "2026-04-03T05:00"),
        (9, "Europe/Berlin", "2026-04-02T05:20", "2026-04-02T07:00"),
        (7, "Asia/Tokyo", "2026-04-02T05:00", "2026-04-02T22:00"),
        (2, "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:00"),  # skipped that night: right after the gap
        (2, "Europe/Berlin", "2026-03-29T01:30", "2026-03-30T00:00"),
        (2, "Europe/Berlin", "2026-10-24T23:30", "2026-10-25T00:00"),  # comes twice: the first time
        (7, "Europe/Berlin", "2026-10-24T06:00", "2026-10-25T06:00"),
    ],
)
def test_the_next_chosen_hour(hour, zone, after, due):
    assert next_hour(hour, zone, at(after)) == at(due)


@given(
    st.integers(0, 23),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]),
    st.integers(0, 2 * 366 * 24 * 60).map(lambda minutes: at("2026-01-01") + timedelta(minutes=minutes)),
)
def test_a_chosen_hour_is_within_a_day(hour, zone, after):
    due = next_hour(hour, zone, after)
    assert timedelta(0) <= due - after <= timedelta(hours=24, minutes=30)
    assert due.astimezone(ZoneInfo(zone)).hour in {hour, hour + 1}


def test_an_unknown_time_zone_is_an_error():
    with pytest.raises(ConfigError, match="no time zone"):
        next_hour(7, "Mars/Olympus", at("2026-04-02T05:20"))


# -- cadences --------------------------------------------------------------------------------------------------------


def cadence_days(cron: str, zone: str, every: Cadence, begin: str, end: str) -> list[str]:
    schedule = Schedule(cron=cron, timezone=zone, every=every)
    found = fires(schedule, at(begin, zone) - timedelta(seconds=1), at(end, zone))
    return [f"{moment.astimezone(ZoneInfo(zone)):%a %m-%d %H:%M}" for moment in found]


@pytest.mark.parametrize(
    ("cron", "every", "days"),
    [
        ("0 7 * * *", Cadence.WEEKDAYS, ["Thu 01-01 07:00", "Fri 01-02 07:00", "Mon 01-05 07:00", "Tue 01-06 07:00"]),
        ("0 7 * * *", Cadence.WEEKLY, ["Mon 01-05 07:00", "Mon 01-12 07:00", "Mon 01-19 07:00", "Mon 01-26 07:00"]),
        ("0 7 * * *", Cadence.MONTHLY, ["Thu 01-01 07:00", "Sun 02-01 07:00", "Sun 03-01 07:00", "Wed 04-01 07:00"]),
        ("0 7 * * tue-fri", Cadence.WEEKLY, ["Tue 01-06 07:00", "Tue 01-13 07:00", "Tue 01-20 07:00"]),
        ("0 7,19 * * *", Cadence.WEEKLY, ["Mon 01-05 07:00", "Mon 01-12 07:00"]),
        ("0 7,19 * * *", Cadence.WEEKDAYS, ["Thu 01-01 07:00", "Thu 01-01 19:00", "Fri 01-02 07:00"]),
        ("@hourly", Cadence.MONTHLY, ["Thu 01-01 00:00", "Sun 02-01 00:00", "Sun 03-01 00:00"]),
        ("0 7 * * sun", Cadence.WEEKLY, ["Sun 01-04 07:00", "Sun 01-11 07:00", "Sun 01-18 07:00"]),
        ("0 7 * * mon,thu", Cadence.MONTHLY, ["Thu 01-01 07:00", "Mon 02-02 07:00", "Mon 03-02 07:00"]),
        ("0 7 15,31 * *", Cadence.MONTHLY, ["Thu 01-15 07:00", "Sun 02-15 07:00", "Sun 03-15 07:00"]),
        ("0 7 31 * *", Cadence.WEEKLY, ["Sat 01-31 07:00", "Tue 03-31 07:00", "Sun 05-31 07:00"]),
        ("0 7 * * sat,sun", Cadence.WEEKDAYS, ["Sat 01-03 07:00", "Sun 01-04 07:00", "Sat 01-10 07:00"]),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Auckland"])
def test_a_cadence_keeps_some_slots_of_the_schedule(cron, every, days, zone):
    assert cadence_days(cron, zone, every, "2026-01-01", "2026-07-01")[: len(days)] == days


def test_on_weekends_only_the_first_day_of_the_iso_week_is_due_once():
    assert cadence_days("0 7 * * sat,sun", "UTC", Cadence.WEEKLY, "2026-01-01", "2026-01-20") == [
        "Sat 01-03 07:00",
        "Sat 01-10 07:00",
        "Sat 01-17 07:00",
    ]


def test_a_week_that_spans_two_years_has_one_slot():
    assert cadence_days("0 7 * * *", "UTC", Cadence.WEEKLY, "2026-12-27", "2027-01-06") == [
        "Mon 12-28 07:00",
        "Mon 01-04 07:00",
    ]


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Pacific/Apia", "2011-12-31T00:30"),  # 30 December was skipped: the week began on Monday all the same
        ("America/Sao_Paulo", "2018-11-05T00:30"),  # clocks went forward on Sunday at midnight
        ("Europe/Berlin", "2026-03-30T00:30"),
    ],
)
def test_clocks_that_change_neither_add_nor_lose_a_weekly_slot(zone, first):
    schedule = Schedule(cron="30 0 * * *", timezone=zone, every=Cadence.WEEKLY)
    begin = at(first, zone) - timedelta(days=21)
    found = fires(schedule, begin, begin + timedelta(days=42))
    weeks = [moment.astimezone(ZoneInfo(zone)).isocalendar()[:2] for moment in found]
    assert weeks == sorted(set(weeks))
    assert len(weeks) == 6


@given(
    moment=st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - as above
    cron=st.sampled_from(["0 7 * * *", "30 2 * * *", "0 0 * * *", "0 7 * * mon-fri", "0 8,20 * * *", "15 6 1,15 * *"]),
    zone=st.sampled_from(ZONES),
    every=st.sampled_from(Cadence),
)
@settings(max_examples=200, deadline=None)
def test_the_slots_of_a_cadence_are_slots_of_the_schedule_and_look_the_same_forwards_and_backwards(
    moment, cron, zone, every
):
    plain = Schedule(cron=cron, timezone=zone)
    thin = Schedule(cron=cron, timezone=zone, every=every)
    slot = current_slot(thin, moment)
    assert slot is not None
    assert slot.at <= moment < next_fire(thin, moment)
    assert current_slot(plain, slot.at) == slot
    following = current_slot(thin, next_fire(thin, moment))
    assert following is not None
    assert next_fire(thin, slot.at) == following.at
    assert current_slot(plain, following.at) == following
