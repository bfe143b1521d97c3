"""Rules for stored times, which may come from a clock that was ahead or behind. Pure.

A negative age is zero. A time that is further ahead than any delay may be was written with a wrong clock, and is
ignored.
"""

from __future__ import annotations

from datetime import datetime, timedelta

SKEW = timedelta(minutes=2)
"""The allowed difference between the clocks of two workers."""
LONGEST_DELIVERY = timedelta(hours=26)
"""The longest time until a delivery is due: a chosen hour is at most 26 hours ahead, when clocks change."""
LONGEST_PAUSE = timedelta(hours=26)
"""The longest pause of a relay or a domain: daily quotas of an account reset within a day."""


LONGEST_HOLIDAY = timedelta(days=367)
"""The longest pause of a subscriber: a year, and a day for the time zone."""


DATED_AHEAD = timedelta(days=7)
"""How far ahead a source may date a paper: arXiv's announcement is later over a long weekend."""


def age(moment: datetime, now: datetime) -> timedelta:
    """Return the age of `moment`; zero if it is in the future."""
    return max(now - moment, timedelta(0))


def is_credible(until: datetime, now: datetime, longest: timedelta) -> bool:
    """Return whether a delay until `moment` is credible, which means at most `longest` ahead."""
    return until <= now + longest


def bounded(until: datetime, now: datetime, longest: timedelta) -> datetime:
    """Return when a wait ends: at `until`, or at `now` if it is over or further ahead than `longest`."""
    return until if now < until and is_credible(until, now, longest) else now


def is_paused(until: datetime | None, now: datetime) -> bool:
    """Return whether a subscriber is paused at `now` by a pause until `until`."""
    return until is not None and now < until and is_credible(until, now, LONGEST_HOLIDAY)


def is_recent(moment: datetime, now: datetime, period: timedelta) -> bool:
    """Return whether a time is in the last `period`. Times in the future are not."""
    return not is_ahead(moment, now) and age(moment, now) < period


def is_ahead(moment: datetime, horizon: datetime | None) -> bool:
    """Return whether a past time is later than `horizon` plus the allowed clock difference.

    The horizon is the latest possible time: the machine's clock, even in a replay. None means unknown.
    """
    return horizon is not None and moment > horizon + SKEW
