"""Decide when a failed delivery is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from digestmail.moments import age

_FIRST_PAUSE = timedelta(minutes=5)
_LONGEST_PAUSE = timedelta(hours=4)
_JITTER = 0.25
_MOST_DOUBLINGS = 10
"""Beyond this the pause is at its longest; keeps the power small however many attempts there were."""


def next_attempt(
    attempts: int, first_at: datetime, now: datetime, give_up: timedelta, random: Random
) -> datetime | None:
    """Return when to try again after `attempts` attempts since `first_at`, or None to give up.

    The pause begins at 5 minutes and doubles up to 4 hours; up to a quarter is added at random, so that what failed
    together does not come back together. RFC 5321 section 4.5.4.1 asks for 30 minutes between attempts as a rule, two
    of them in the first hour, then one every two or three hours, and allows other strategies where the sender knows
    why: most first refusals of a mailing are greylisting, which commonly lifts after 5 minutes, and a digest is worth
    less every hour. The last attempt is due when `give_up` has passed since `first_at`, unless that is less than 5
    minutes away. Where the clock was ahead at `first_at`, the pauses between the attempts say how long ago it was.
    """
    passed = age(first_at, now) if first_at <= now else sum(map(_pause, range(1, attempts)), timedelta(0))
    left = give_up - passed
    if left < _FIRST_PAUSE:
        return None
    return now + min(_pause(attempts) * (1 + _JITTER * random.random()), left)


def _pause(attempts: int) -> timedelta:
    """Return the pause after so many attempts, without what is added at random."""
    return min(_FIRST_PAUSE * (1 << min(max(attempts - 1, 0), _MOST_DOUBLINGS)), _LONGEST_PAUSE)
