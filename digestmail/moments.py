"""The rule for every stored moment, for clocks jump: written by a clock that was ahead, or behind. Pure.

An age below zero is zero. A future that lies further ahead than anything may be put off was written by a clock that was
wrong: it is no future, and whoever waits for it waits no longer.
"""

from __future__ import annotations

from datetime import datetime, timedelta

SKEW = timedelta(minutes=2)
"""By how much the clocks of two workers may differ; a moment so little ahead is not looked into."""
LONGEST_DELIVERY = timedelta(hours=26)
"""How far ahead a delivery or a notice may be due: a reader's hour is at most 25 hours away, when the clocks change."""
LONGEST_PAUSE = timedelta(hours=26)
"""How long a relay or a domain may be left alone: an account's daily quota is over in a day."""


LONGEST_HOLIDAY = timedelta(days=367)
"""How long a subscriber may pause: a year, and a day for the time zone."""


DATED_AHEAD = timedelta(days=7)
"""How far ahead a source may date a paper: arXiv's by the announcement, which a long weekend defers."""


def age(moment: datetime, now: datetime) -> timedelta:
    """Return how long ago `moment` was; zero if it lies in the future."""
    return max(now - moment, timedelta(0))


def is_credible(until: datetime, now: datetime, longest: timedelta) -> bool:
    """Return whether something may have been put off until then: not when it lies further ahead than `longest`."""
    return until <= now + longest


def bounded(until: datetime, now: datetime, longest: timedelta) -> datetime:
    """Return when a wait ends: at `until`, or at `now` if it is over or lies further ahead than `longest`."""
    return until if now < until and is_credible(until, now, longest) else now


def is_recent(moment: datetime, now: datetime, period: timedelta) -> bool:
    """Return whether something happened in the last `period`; what lies ahead is not known to have."""
    return not is_ahead(moment, now) and age(moment, now) < period


def is_ahead(moment: datetime, horizon: datetime | None) -> bool:
    """Return whether a moment that should be past lies behind `horizon` by more than two clocks may differ.

    The horizon is the latest it can be: now, by the machine's clock, whatever time a replay plays. None: nobody knows.
    """
    return horizon is not None and moment > horizon + SKEW
