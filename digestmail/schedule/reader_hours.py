"""When readers who chose an hour get the email of a slot. Pure.

Each slot of a daily schedule belongs to one local day of a reader, and each day has one email. Which day that is is
decided in standard time, in both zones. Otherwise a reader whose hour is just before the digest's would get no email on
the day on which one of the zones changes its clocks, and two when it changes them back.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from digestmail.model.digests import Schedule
from digestmail.schedule.cron import first_existing, written_time


def due_at(schedule: Schedule, slot_at: datetime, hour: int, zone: str) -> datetime:
    """Return when, in UTC, a reader gets the email of the slot that began at `slot_at`; at most 26 hours later.

    It is the next time that it is `hour` (0..23) o'clock in the IANA zone `zone`. An hour that has begun counts:
    readers who chose seven get an edition of 07:20 at once. An hour that the change of clocks skips counts right after
    the gap, one that comes twice counts at first. While only one of the zones has daylight saving time, the slot may
    begin up to two hours after the reader's hour, and the email is due at once.
    """
    digest, reader = ZoneInfo(schedule.timezone), ZoneInfo(zone)
    at_standard_time = written_time(schedule, slot_at) - _standard_offset(digest, slot_at)
    local = at_standard_time + _standard_offset(reader, slot_at)
    day = local.date() + timedelta(days=hour < local.hour)
    begins = first_existing(datetime.combine(day, time(hour)), reader).astimezone(UTC)
    return max(begins, slot_at)


def _standard_offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    """Return the difference to UTC without daylight saving time, which may be negative (Casablanca in Ramadan)."""
    local = moment.astimezone(zone)
    return (local.utcoffset() or timedelta(0)) - (local.dst() or timedelta(0))
