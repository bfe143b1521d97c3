"""The CSV format of exports and imports: its columns, and cells that are safe in spreadsheets. Pure."""

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
    "cadence",
    "language",
    "timezone",
    "state",
    "paused_until",
    "consent_source",
    "consent_at",
    "created_at",
)
TOPIC_SEPARATOR = ";"
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""A formula, possibly after apostrophes. Escaping adds one apostrophe and unescaping removes one."""
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")


def escape_formula(cell: str) -> str:
    """Return `cell`, with an apostrophe before it if a spreadsheet would run it (OWASP, CSV injection)."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """Reverse `escape_formula`."""
    return cell[1:] if _ESCAPED.match(cell) else cell


def rows_of(people: Iterable[Subscriber]) -> Iterator[tuple[str, ...]]:
    """Yield a row of `COLUMNS` for each subscription. A person without subscriptions gets one row."""
    for person in people:
        for one in person.subscriptions or (None,):
            yield tuple(map(escape_formula, _row(person, one)))


def _row(person: Subscriber, one: Subscription | None) -> tuple[str, ...]:
    return (
        person.address,
        one.digest if one else "",
        TOPIC_SEPARATOR.join(one.topics) if one else "",
        "" if one is None or one.hour is None else str(one.hour),
        (one.cadence if one else None) or "",
        person.language or "",
        person.timezone or "",
        person.state,
        _format(person.paused_until),
        person.consent_source or "",
        _format(person.consent_at),
        _format(person.created_at),
    )


def _format(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""
