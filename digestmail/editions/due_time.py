"""When a delivery is due: at the hour the subscriber chose, in their time zone. The one place that decides it."""

from __future__ import annotations

from datetime import datetime

from digestmail.model.digests import Schedule
from digestmail.schedule.cron import next_hour
from digestmail.schedule.reader_hours import due_at
from digestmail.schedule.timezones import check_timezone


class DueTime:
    """Due times of what is published at `now`. Each choice is computed once: a million readers have few of them."""

    def __init__(self, schedule: Schedule, now: datetime, *, slot_at: datetime | None = None) -> None:
        """Compute due times for a digest with `schedule`, whose time zone counts for subscribers without one.

        `slot_at` is when the slot of the edition began; None means that the edition belongs to none any more.
        """
        self._schedule = schedule
        self.now = now
        self._slot_at = slot_at
        self._known: dict[tuple[int, str | None], datetime] = {}

    def at(self, hour: int | None, timezone: str | None) -> datetime:
        """Return when a delivery is due for a subscriber who chose `hour` (0 to 23) in `timezone`, within a day.

        An edition that is published after the hour in its slot is due now. Without an hour, it is due now.
        """
        if hour is None:
            return self.now
        key = hour, timezone
        if key not in self._known:
            # A zone that this machine does not know (any more) must not keep an edition from everyone else.
            is_known = timezone is not None and check_timezone(timezone) is None
            self._known[key] = self._at(hour, timezone if timezone and is_known else self._schedule.timezone)
        return self._known[key]

    def _at(self, hour: int, zone: str) -> datetime:
        if self._slot_at is None:
            return next_hour(hour, zone, self.now)
        return max(self.now, due_at(self._schedule, self._slot_at, hour, zone))
