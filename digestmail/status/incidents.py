"""Decides which problems the operator hears about, and when. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from digestmail.model.incidents import Incident

_CHANGING: Final = re.compile(
    r"[0-9]+|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"
)
_LONGEST_KEY: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is to be announced now, and what is to be stored when that is done."""

    began: tuple[Incident, ...] = ()
    ended: tuple[Incident, ...] = ()
    kept: tuple[Incident, ...] = ()
    """What is known if nothing can be announced."""
    kept_when_announced: tuple[Incident, ...] = ()


def key_of(problem: str) -> str:
    """Return what identifies a problem although counts, dates and times in its sentence change."""
    return _CHANGING.sub("#", problem)[:_LONGEST_KEY]


def follow(
    known: Sequence[Incident], problems: Sequence[str], now: datetime, *, after: timedelta, is_quiet: bool
) -> News:
    """Compare the problems of now with the incidents known before.

    A problem is announced when it is still there `after` its begin, and its end if its begin was announced. While it
    `is_quiet`, nothing is announced: what is over by then is never heard of.
    """
    before = {one.key: one for one in known}
    there = {key_of(problem): problem for problem in problems}
    present = [
        replace(before.get(key) or Incident(key=key, text=text, began_at=now), text=text, ended_at=None)
        for key, text in there.items()
    ]
    gone = (one for key, one in before.items() if key not in there)
    over = [replace(one, ended_at=one.ended_at or now) for one in gone if one.announced_at]
    began = () if is_quiet else tuple(_lasting(present, now, after))
    ended = () if is_quiet else tuple(over)
    said = {one.key for one in began}
    return News(
        began=began,
        ended=ended,
        kept=(*present, *over),
        kept_when_announced=tuple(replace(one, announced_at=now) if one.key in said else one for one in present),
    )


def _lasting(present: Sequence[Incident], now: datetime, after: timedelta) -> Iterator[Incident]:
    # A clock that was set back must not keep a problem quiet for ever.
    return (one for one in present if one.announced_at is None and (now - one.began_at >= after or one.began_at > now))


def is_quiet(hours: tuple[int, int] | None, zone: str, now: datetime) -> bool:
    """Return whether `now` is within quiet `hours`, from which to which (0 to 23), in the IANA time zone `zone`."""
    if hours is None:
        return False
    first, end = hours
    hour = now.astimezone(ZoneInfo(zone)).hour
    return first <= hour < end if first <= end else hour >= first or hour < end
