"""Schedules: which slot is due, and when the next one starts.

Schedules are crontab lines. cronsim parses them like Debian's cron (Sunday is 0 or 7; day of month or weekday) and
computes in local time. Daylight saving time is handled here, also like Debian: a skipped time fires right after the
gap, a repeated time fires once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
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


def _some_slots(schedule: Schedule) -> Iterator[Slot]:
    return islice(_all_slots(schedule, _SOME_DAY.replace(tzinfo=None), reverse=False), _SOME_SLOTS)


@lru_cache(maxsize=64)
def rarer_cadences(schedule: Schedule) -> tuple[Cadence, ...]:
    """Return the cadences with which a reader gets fewer editions than this digest has, most frequent first."""
    slots = list(_some_slots(schedule))
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
        begins_local = first_existing(fire, zone)
        if follows_clock and begins_local.replace(tzinfo=None) != fire:
            continue
        yield Slot(at=begins_local.astimezone(UTC), key=f"{begins_local:{key_format}}", day=begins_local.date())


def written_time(schedule: Schedule, slot_at: datetime) -> datetime:
    """Return the local time (naive) that the crontab line names for the slot that began at `slot_at`.

    It differs from the local time of `slot_at` if the change of clocks skips it: 02:30 begins at 03:00.
    """
    zone = ZoneInfo(schedule.timezone)
    local = slot_at.astimezone(zone).replace(tzinfo=None)
    fields = _fields(schedule.cron)
    if fields[1].startswith("*"):
        return local  # nothing begins at the end of a gap instead
    for fire in islice(CronSim(" ".join(fields), local - _CLEAR), _SOME_SLOTS):
        if fire >= local:
            break
        if first_existing(fire, zone) == slot_at:
            return fire
    return local


def _fields(line: str) -> list[str]:
    """Return the fields of a crontab line, or of what a nickname stands for."""
    text = line.strip()
    return _NICKNAMES.get(text.lower(), text).split()


def first_existing(wall_clock: datetime, zone: ZoneInfo) -> datetime:
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
    begins = (first_existing(day, zone).astimezone(UTC) for day in (today, today + _DAY))
    return next(moment for moment in begins if moment >= after)
