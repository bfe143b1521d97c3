"""Schedules: which slot is due, when the next one starts, and on which days arXiv announces papers.

Schedules are crontab lines. cronsim parses them like Debian's cron (Sunday is 0 or 7; day of month or weekday) and
computes in local time. Daylight saving time is handled here, also like Debian: a skipped time fires right after the
gap, a repeated time fires once.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby, islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from digestmail.errors import ConfigError
from digestmail.model.digests import Cadence, Schedule
from digestmail.model.editions import Slot
from digestmail.schedule.cadence import first_day, is_workday, thinned
from digestmail.schedule.timezones import check_timezone

_CRON_FIELDS = 5
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""What crontab(5) calls extensions; @reboot is no time."""
_DAY = timedelta(days=1)
_CLEAR = timedelta(hours=3)
"""Longer than any repeated hour, so that a search never starts in the middle of one."""
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_SOME_SLOTS = 100


def check_cron(line: str) -> str | None:
    """Return a sentence about what is wrong with a crontab line, or None."""
    if len(_fields(line)) != _CRON_FIELDS:
        nicknames = ", ".join(_NICKNAMES)
        return f"{line!r} is no crontab line: it needs five fields (minute, hour, day, month, weekday), or {nicknames}"
    try:
        next_fire(Schedule(cron=line, timezone="UTC"), _SOME_DAY)
    except (CronSimError, ValueError) as error:
        return f"{line!r} is no crontab line: {str(error).lower()}"
    except ConfigError as error:
        return str(error)
    return None


def current_slot(schedule: Schedule, now: datetime) -> Slot | None:
    """Return the latest slot that began at or before `now`; None if the schedule never fired."""
    past = (slot for slot in _slots(schedule, now + _CLEAR, reverse=True) if slot.at <= now)
    for _, same in groupby(past, key=lambda slot: slot.key):
        *_, first = same
        return first
    return None


def next_fire(schedule: Schedule, after: datetime) -> datetime:
    """Return when, in UTC, the next slot after `after` begins. Raises ConfigError if none ever does."""
    current = current_slot(schedule, after)
    for slot in _slots(schedule, after - _CLEAR, reverse=False):
        if slot.at > after and (current is None or slot.key != current.key):
            return slot.at
    raise ConfigError([f"the schedule {schedule.cron!r} never fires"])


def open_until(schedule: Schedule, slot: Slot) -> datetime:
    """Return until when a missed or empty slot can still get its edition: half-way to the next one.

    After that, its papers belong to the next slot: papers on Monday before seven do not belong to Sunday's edition.
    """
    return slot.at + (next_fire(schedule, slot.at) - slot.at) / 2


def _slots(schedule: Schedule, start: datetime, *, reverse: bool) -> Iterator[Slot]:
    """Yield the slots of the schedule from `start`, or from shortly before, forwards or backwards."""
    zone = ZoneInfo(schedule.timezone)
    local = start.astimezone(zone).replace(tzinfo=None)
    if schedule.every is None or (schedule.every is Cadence.WEEKDAYS and not _has_workdays(schedule)):
        return _all_slots(schedule, local, reverse=reverse)
    if not reverse:
        local = datetime.combine(first_day(schedule.every, local.date()), time()) - timedelta(seconds=1)
    return thinned(_all_slots(schedule, local, reverse=reverse), schedule.every)


@lru_cache(maxsize=64)
def _has_workdays(schedule: Schedule) -> bool:
    """Return whether a digest is ever published from Monday to Friday. If not, readers get every edition."""
    return any(is_workday(slot.day) for slot in _some_slots(schedule))


def _some_slots(schedule: Schedule) -> list[Slot]:
    return list(islice(_all_slots(schedule, _SOME_DAY.replace(tzinfo=None), reverse=False), _SOME_SLOTS))


@lru_cache(maxsize=64)
def rarer_cadences(schedule: Schedule) -> tuple[Cadence, ...]:
    """Return the cadences with which a reader gets fewer editions than this digest has, most frequent first."""
    slots = _some_slots(schedule)
    days = _has_workdays(schedule)
    counts = ((one, len([*thinned(iter(slots), one)])) for one in Cadence if days or one is not Cadence.WEEKDAYS)
    return tuple(cadence for cadence, count in counts if count < len(slots))


def _all_slots(schedule: Schedule, start: datetime, *, reverse: bool) -> Iterator[Slot]:
    """Yield the slots of the crontab line from `start`, a local time, forwards or backwards.

    Times in a gap of local time move to its end, where they have the same key and are one slot. This does not apply to
    schedules with "*" for minutes or hours, which follow the clock.
    """
    zone = ZoneInfo(schedule.timezone)
    fields = _fields(schedule.cron)
    fires = CronSim(" ".join(fields), start, reverse=reverse)
    key_format = "%Y-%m-%dT%H:%M" if len(fires.minutes) * len(fires.hours) > 1 else "%Y-%m-%d"
    follows_clock = fields[1].startswith("*")
    for fire in fires:
        begins_local = _first_existing(fire, zone)
        if follows_clock and begins_local.replace(tzinfo=None) != fire:
            continue
        yield Slot(at=begins_local.astimezone(UTC), key=f"{begins_local:{key_format}}", day=begins_local.date())


def _fields(line: str) -> list[str]:
    """Return the fields of a crontab line, or of what a nickname stands for."""
    text = line.strip()
    return _NICKNAMES.get(text.lower(), text).split()


def _first_existing(wall_clock: datetime, zone: ZoneInfo) -> datetime:
    """Return the first existing minute at or after `wall_clock` (naive) in `zone`."""
    local = wall_clock.replace(tzinfo=zone)
    while local != local.astimezone(UTC).astimezone(zone):
        local += timedelta(minutes=1)
    return local


def next_hour(hour: int, timezone: str, after: datetime) -> datetime:
    """Return when, in UTC, it is next `hour` (0..23) o'clock in the IANA zone `timezone`: `after`, or up to 24 h later.

    The current hour counts: subscribers who chose seven get an edition of 07:20 immediately. Raises ConfigError if
    there is no such zone.
    """
    if wrong := check_timezone(timezone):
        raise ConfigError([wrong])
    zone = ZoneInfo(timezone)
    local = after.astimezone(zone)
    if local.hour == hour:
        return after
    today = datetime.combine(local.date(), time(hour))
    begins = (_first_existing(day, zone).astimezone(UTC) for day in (today, today + _DAY))
    return next(moment for moment in begins if moment >= after)


# -- arXiv's calendar ------------------------------------------------------------------------------------------------

_EASTERN = ZoneInfo("America/New_York")
_CUT_OFF = time(14, 0)
_LISTED = {
    2026: frozenset(
        date(2026, month, day)
        for month, day in ((1, 1), (1, 19), (6, 19), (7, 3), (9, 7), (11, 26), (12, 25), (12, 29), (12, 31))
    ),
}


def arxiv_announces_on(day: date) -> bool:
    """Return whether a feed dated `day` (US Eastern) contains papers.

    arXiv announces on the evenings of Sunday to Thursday at 20:00, and rebuilds its feeds at midnight: Monday to
    Friday. A deferred announcement is named by the day of its evening, so the feed of the following day is empty.
    Friday has no evening announcement, so a named Friday means the Sunday after, and Monday's feed. (Seen in 2025 and
    2026: papers on Thursday 1 January, none on Friday 2 January; papers on Friday 19 June, none on Monday 22 June.)

    The deferred days of 2026 are arXiv's own (https://info.arxiv.org/help/availability.html). For other years these are
    used: New Year's Day, Martin Luther King Day, Juneteenth, Independence Day, Labor Day, Thanksgiving and Christmas
    Day, moved to Friday or Monday from a weekend as the US government does. Each year arXiv adds one to three days of
    its own choice, most of them between Christmas and New Year, which are not known here.
    """
    if day.weekday() >= calendar.SATURDAY:
        return False
    return not any(named in _deferred(named.year) for named in _back_to_weekday(day - _DAY))


def announcement_day(submitted: datetime) -> date:
    """Return the date of the feed that announces a paper submitted at `submitted` (aware).

    Papers submitted between 14:00 US Eastern of one weekday and the next are announced on the evening of the latter
    (Friday's on Sunday), and a deferred batch with the next one. Moderation can take longer.
    """
    local = submitted.astimezone(_EASTERN)
    closes = local.date() if local.time() < _CUT_OFF else local.date() + _DAY
    while closes.weekday() >= calendar.SATURDAY:
        closes += _DAY
    day = closes + _DAY
    while not arxiv_announces_on(day):
        day += _DAY
    return day


def _back_to_weekday(day: date) -> Iterator[date]:
    """Yield `day` and the days before it, up to and including a weekday."""
    while day.weekday() >= calendar.SATURDAY:
        yield day
        day -= _DAY
    yield day


@lru_cache(maxsize=8)
def _deferred(year: int) -> frozenset[date]:
    """Return the days whose announcement arXiv defers."""
    if year in _LISTED:
        return _LISTED[year]
    fixed = (date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 12, 25))
    return frozenset(
        (
            *(_observed(holiday) for holiday in fixed),
            _weekday_of(year, 1, calendar.MONDAY, 3),
            _weekday_of(year, 9, calendar.MONDAY, 1),
            _weekday_of(year, 11, calendar.THURSDAY, 4),
        )
    )


def _observed(holiday: date) -> date:
    moved = {calendar.SATURDAY: -_DAY, calendar.SUNDAY: _DAY}
    return holiday + moved.get(holiday.weekday(), timedelta(0))


def _weekday_of(year: int, month: int, weekday: int, number: int) -> date:
    """Return the first, second, ... (`number`) such weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))
