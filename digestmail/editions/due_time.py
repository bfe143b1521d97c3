"""When a delivery is due: at the hour the subscriber chose, in their time zone. The one place that decides it."""

from __future__ import annotations

from datetime import datetime

from digestmail.schedule.cron import next_hour
from digestmail.schedule.timezones import check_timezone


class DueTime:
    """Due times of what is published at `now`. Each choice is computed once: a million readers have few of them."""

    def __init__(self, digest_timezone: str, now: datetime) -> None:
        """`digest_timezone` is the IANA zone of subscribers who chose none."""
        self._digest_timezone = digest_timezone
        self._now = now
        self._known: dict[tuple[int, str | None], datetime] = {}

    def at(self, hour: int | None, timezone: str | None) -> datetime:
        """Return when a delivery is due for a subscriber who chose `hour` (0 to 23) in `timezone`, within a day.

        Without an hour, it is due now.
        """
        if hour is None:
            return self._now
        key = hour, timezone
        if key not in self._known:
            # A zone that this machine does not know (any more) must not keep an edition from everyone else.
            is_known = timezone is not None and check_timezone(timezone) is None
            self._known[key] = next_hour(hour, timezone if timezone and is_known else self._digest_timezone, self._now)
        return self._known[key]
