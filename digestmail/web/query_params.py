"""Query parameters, parsed leniently: an invalid page number shows the first page, not an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from fastapi import HTTPException, Request

from digestmail.app import App
from digestmail.mail.placeholders import single_line
from digestmail.model.digests import Digest

_LONGEST_TEXT: Final = 200
_MOST_PAGES: Final = 10_000
_ROWS: Final = frozenset({"below", "after"})
_DAYS: Final = frozenset({"from", "to"})
LARGEST_ROW: Final = 2**31 - 1
"""The largest number of a row that both databases can compare; PostgreSQL refuses larger ones."""


def app_of(request: Request) -> App:
    """Return the app of `request`."""
    found: App = request.app.state.digestmail
    return found


def digest_of(request: Request, name: str) -> Digest:
    """Return the configured digest of this name. Raises HTTPException 404."""
    for digest in app_of(request).digests:
        if digest.name == name:
            return digest
    raise HTTPException(404, "there is no such digest")


def asked_text(request: Request, name: str) -> str:
    """Return a text parameter as one line of at most 200 characters; empty if it is missing."""
    return _text(request.query_params.get(name, ""))


def asked_topic(request: Request) -> str | None:
    """Return the requested topic; None if there is none. The empty one is that of papers without a topic."""
    return normalized(request.query_params, "topic")


def asked_page(request: Request) -> int:
    """Return the requested page number, from 1."""
    return _page(request.query_params.get("page", ""))


def normalized(given: Mapping[str, str], name: str) -> str | None:
    """Return the value of a parameter in one spelling, or None if it is missing or has no effect. Pure."""
    value = given.get(name)
    if name == "page":
        number = _page(value or "")
        return str(number) if number > 1 else None
    if name in _ROWS:
        row = row_number(value or "")
        return None if row is None else str(row)
    if name in _DAYS:
        day = _day(value or "")
        return None if day is None else day.isoformat()
    return None if value is None else _text(value)


def _text(value: str) -> str:
    return single_line(value[: 4 * _LONGEST_TEXT])[:_LONGEST_TEXT].strip()


def _page(value: str) -> int:
    return min(max(int(value), 1), _MOST_PAGES) if value.isascii() and value.isdigit() and len(value) < 9 else 1  # noqa: PLR2004 - valid numbers are shorter


def asked_row(request: Request, name: str) -> int | None:
    """Return the number from 1 after which a list continues, or None if it is missing or invalid."""
    return row_number(request.query_params.get(name, ""))


def row_number(value: str) -> int | None:
    """Return the number of a row, from 1, that both databases can compare; None if `value` is none."""
    if not value.isascii() or not value.isdigit() or len(value) > len(str(LARGEST_ROW)):
        return None
    return int(value) if 0 < int(value) <= LARGEST_ROW else None


def asked_day(request: Request, name: str) -> date | None:
    """Return a date parameter (ISO 8601), or None if it is missing or invalid."""
    return _day(request.query_params.get(name, ""))


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def start_of_day(day: date) -> datetime:
    """Return the start of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def end_of_day(day: date) -> datetime:
    """Return the end of a day in UTC."""
    return start_of_day(day + timedelta(days=1)) if day < date.max else datetime.max.replace(tzinfo=UTC)
