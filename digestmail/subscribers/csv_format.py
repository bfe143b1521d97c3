"""The table of people that is exported and imported: its columns, and cells that no spreadsheet runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from digestmail.model.subscribers import Subscriber, Subscription

COLUMNS = (
    "address",
    "digest",
    "topics",
    "hour",
    "language",
    "timezone",
    "state",
    "paused_until",
    "consent_source",
    "consent_at",
    "created_at",
)
TOPICS_BY = ";"
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet runs, behind any apostrophes: one more is added, and one is taken off, so that it is exact."""
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guarded(cell: str) -> str:
    """Return `cell` with an apostrophe in front if a spreadsheet would run it (OWASP, CSV injection)."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def bare(cell: str) -> str:
    """Return what `guarded` was given."""
    return cell[1:] if _GUARDED.match(cell) else cell


def rows_of(people: Iterable[Subscriber]) -> Iterator[tuple[str, ...]]:
    """Yield a row of `COLUMNS` for each person and digest; who has no digest gets one row with none."""
    for person in people:
        for one in person.subscriptions or (None,):
            yield tuple(map(guarded, _row(person, one)))


def _row(person: Subscriber, one: Subscription | None) -> tuple[str, ...]:
    return (
        person.address,
        one.digest if one else "",
        TOPICS_BY.join(one.topics) if one else "",
        "" if one is None or one.hour is None else str(one.hour),
        person.language or "",
        person.timezone or "",
        person.state,
        _written(person.paused_until),
        person.consent_source or "",
        _written(person.consent_at),
        _written(person.created_at),
    )


def _written(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""
