"""Query parameters, parsed leniently: an invalid page number shows the first page, not an error."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from fastapi import HTTPException, Request

from digestmail.app import App
from digestmail.mail.placeholders import single_line
from digestmail.model.digests import Digest

_LONGEST_TEXT: Final = 200
_MOST_PAGES: Final = 10_000


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
    return single_line(request.query_params.get(name, "")[: 4 * _LONGEST_TEXT])[:_LONGEST_TEXT].strip()


def asked_page(request: Request) -> int:
    """Return the requested page number, from 1."""
    given = request.query_params.get("page", "")
    return min(max(int(given), 1), _MOST_PAGES) if given.isascii() and given.isdigit() and len(given) < 9 else 1  # noqa: PLR2004 - valid numbers are shorter


def asked_day(request: Request, name: str) -> date | None:
    """Return a date parameter (ISO 8601), or None if it is missing or invalid."""
    try:
        return date.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        return None


def start_of_day(day: date) -> datetime:
    """Return the start of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def end_of_day(day: date) -> datetime:
    """Return the end of a day in UTC."""
    return start_of_day(day + timedelta(days=1)) if day < date.max else datetime.max.replace(tzinfo=UTC)
