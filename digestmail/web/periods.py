"""Weeks and months in URLs: `2026-W14` (ISO 8601) and `2026-04`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Kind = Literal["week", "month"]
_FIRST_YEAR, _LAST_YEAR = 1991, 2200


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A week or a month: its key, first and last day, the day after it, and the keys before and after."""

    kind: Kind
    key: str
    first: date
    last: date
    after: date
    previous: str
    following: str


def week_key(day: date) -> str:
    """Return the key of a day's ISO week."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def month_key(day: date) -> str:
    """Return the key of a day's month."""
    return f"{day:%Y-%m}"


def period(kind: Kind, key: str) -> Period | None:
    """Return the week or month with this key, or None if it is invalid."""
    try:
        return _week(key) if kind == "week" else _month(key)
    except ValueError:
        return None


def _week(key: str) -> Period | None:
    found = re.fullmatch(r"([0-9]{4})-W([0-9]{2})", key)
    if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        return None
    first = date.fromisocalendar(int(found[1]), int(found[2]), 1)
    after = first + timedelta(days=7)
    return Period(
        kind="week",
        key=key,
        first=first,
        last=after - timedelta(days=1),
        after=after,
        previous=week_key(first - timedelta(days=1)),
        following=week_key(after),
    )


def _month(key: str) -> Period | None:
    found = re.fullmatch(r"([0-9]{4})-([0-9]{2})", key)
    if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        return None
    first = date(int(found[1]), int(found[2]), 1)
    after = (first + timedelta(days=31)).replace(day=1)
    return Period(
        kind="month",
        key=key,
        first=first,
        last=after - timedelta(days=1),
        after=after,
        previous=month_key(first - timedelta(days=1)),
        following=month_key(after),
    )
