"""The dates of works at Crossref: `{"date-parts": [[2026, 4, 2]]}`, often without the day or the month."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from digestmail.sources.parsed import YEARS

APPEARED: Final = ("posted", "published-online", "published", "published-print", "issued")
"""The dates that say when a work appeared. The first one is that of preprints."""
_DECEMBER: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """When a work was registered, and when it appeared."""

    created: date | None
    """When its DOI was first registered (UTC)."""
    exact: date | None
    """The first of `APPEARED` that has a day."""
    latest: tuple[date, ...]
    """The last day that each of `APPEARED` may mean: 31 December of a year alone."""


def date_parts(item: Any) -> Dates:
    """Return the dates of a work. What is no date counts as missing."""
    parts = {name: _parts(item, name) for name in ("created", *APPEARED)}
    shown = [parts[name] for name in APPEARED]
    return Dates(
        created=_day(parts["created"]),
        exact=next((day for one in shown if (day := _day(one))), None),
        latest=tuple(day for one in shown if (day := _last_day(one))),
    )


def earliest(dates: Dates) -> date | None:
    """Return the day on which a work had certainly appeared; None if it does not say."""
    return min(dates.latest, default=None)


def _parts(item: Any, name: str) -> tuple[int, ...]:
    """Return year, month and day, as far as they are there."""
    value = item.get(name) if isinstance(item, Mapping) else None
    rows = value.get("date-parts") if isinstance(value, Mapping) else None
    row = rows[0] if isinstance(rows, list) and rows else None
    found: list[int] = []
    for part in row if isinstance(row, list) else ():
        text = str(part)
        if isinstance(part, bool) or not (text.isascii() and text.isdigit() and len(text) <= len("2026")):
            break
        found.append(int(text))
    return tuple(found[:3])


def _day(parts: tuple[int, ...]) -> date | None:
    try:
        day = date(*parts)
    except (TypeError, ValueError):
        return None
    return day if day.year in YEARS else None


def _last_day(parts: tuple[int, ...]) -> date | None:
    if not parts or parts[0] not in YEARS:
        return None
    month = parts[1] if len(parts) > 1 else _DECEMBER
    if not 1 <= month <= _DECEMBER:
        return None
    return _day(parts) if len(parts) > 2 else date(parts[0], month, calendar.monthrange(parts[0], month)[1])  # noqa: PLR2004 - year, month, day
