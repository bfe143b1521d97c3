"""What a request asks for, read leniently: a bad number in a link shows the first page, not an error."""

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
    """Return the app that answers `request`."""
    found: App = request.app.state.digestmail
    return found


def digest_of(request: Request, name: str) -> Digest:
    """Return the configured digest of this name. Raises HTTPException 404."""
    for digest in app_of(request).digests:
        if digest.name == name:
            return digest
    raise HTTPException(404, "there is no such digest")


def asked_text(request: Request, name: str) -> str:
    """Return a text of the query on one line, of at most 200 characters; empty when it is not given."""
    return single_line(request.query_params.get(name, "")[: 4 * _LONGEST_TEXT])[:_LONGEST_TEXT].strip()


def asked_page(request: Request) -> int:
    """Return the number of the page that is asked for, 1 and up."""
    given = request.query_params.get("page", "")
    return min(max(int(given), 1), _MOST_PAGES) if given.isascii() and given.isdigit() and len(given) < 9 else 1  # noqa: PLR2004 - no number of ours is longer


def asked_day(request: Request, name: str) -> date | None:
    """Return a day of the query (ISO 8601), None when it is not given or is none."""
    try:
        return date.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        return None


def begin_of(day: date) -> datetime:
    """Return the moment a day begins, in UTC."""
    return datetime.combine(day, time(), UTC)


def end_of(day: date) -> datetime:
    """Return the moment a day is over, in UTC; the last day there is never is."""
    return begin_of(day + timedelta(days=1)) if day < date.max else datetime.max.replace(tzinfo=UTC)
