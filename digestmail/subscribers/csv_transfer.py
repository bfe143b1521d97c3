"""Exports and imports subscribers as CSV, with constant memory and only with consent."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol

from sqlalchemy import Connection

from digestmail.errors import RejectedValueError, SubscriptionError
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Consent, SubscriberState, Subscription
from digestmail.storage import subscriber_import, subscribers
from digestmail.storage.database import Database
from digestmail.storage.erasing import is_erased
from digestmail.storage.subscriber_import import AddressStatus, NewPerson
from digestmail.subscribers.csv_format import COLUMNS, rows_of
from digestmail.subscribers.csv_import import ImportRow, Reader, RowError, RowOutcome, decide, reason

_CHUNK = 4000
"""Rows in one transaction."""
_MAX_LISTED = 1000
"""The number of failed rows in a report; the others are only counted."""


class Writable(Protocol):
    """An object with a `write` method for text."""

    def write(self, text: str, /) -> object:
        """Write `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The outcome of one row."""

    number: int
    outcome: RowOutcome
    why: str = ""
    """Why the row failed, or when the person unsubscribed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or with `dry_run` would do, in rows."""

    dry_run: bool
    added: int
    """Rows that added a subscriber."""
    changed: int
    """Rows that added a subscription to a subscriber."""
    skipped: tuple[tuple[str, int], ...]
    """(reason, number of rows), ordered by reason."""
    failed: int
    failures: tuple[Line, ...]
    """The first thousand failed rows."""


def export(database: Database, out: Writable) -> int:
    """Write all subscribers to `out` as CSV (RFC 4180), one row for each subscription. Return the number of rows.

    Erased people are left out. Cells that a spreadsheet would run as a formula are escaped.
    """
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    count = 0
    with database.connect() as connection:
        people = (one for one in subscribers.list_subscribers(connection) if not is_erased(one.address))
        for count, row in enumerate(rows_of(people), 1):  # noqa: B007 - counted, not used
            writer.writerow(row)
    return count


def check_consent(source: str | None, at: datetime | None, now: datetime) -> Consent | None:
    """Return the consent for rows without their own. Raises SubscriptionError if it is incomplete."""
    if source is None and at is None:
        return None
    if not (source and source.strip()) or at is None:
        raise SubscriptionError("consent needs both a source and a time, or neither")
    if at > now:
        raise SubscriptionError("the time of consent is in the future")
    return Consent(source=source.strip(), at=at)


def import_people(
    database: Database,
    digests: Sequence[Digest],
    lines: Iterable[str],
    now: datetime,
    *,
    languages: Collection[str],
    consent: Consent | None = None,
    dry_run: bool = False,
    tell: Callable[[Line], None] = lambda _: None,
) -> ImportReport:
    """Subscribe the people in a CSV with a header. `tell` is called with the outcome of each row.

    Each transaction has a few thousand rows. After a crash, import the same file again: rows that were stored are
    skipped. With `dry_run` nothing is stored, and a person in distant rows may be counted as new twice. Raises
    SubscriptionError if the header is invalid.
    """
    read = Reader(digests=tuple(digests), languages=languages, consent=consent, now=now).read(lines)
    counts: Counter[RowOutcome] = Counter()
    failures: list[Line] = []
    while chunk := list(islice(read, _CHUNK)):
        done = _import_or_divide(database, chunk, now, dry_run=dry_run)
        # Outcomes are reported after the commit.
        counts.update(line.outcome for line in done)
        failures += [line for line in done if line.outcome is RowOutcome.FAILED][: _MAX_LISTED - len(failures)]
        for line in done:
            tell(line)
    return _report(counts, failures, dry_run=dry_run)


def _import_or_divide(
    database: Database, chunk: Sequence[ImportRow | RowError], now: datetime, *, dry_run: bool
) -> list[Line]:
    """Import rows in one transaction. If the database refuses a value, divide them until only that row fails."""
    try:
        with database.connect() if dry_run else database.begin() as connection:
            return _import_chunk(connection, chunk, now, store=not dry_run)
    except RejectedValueError as error:
        if len(chunk) == 1:
            return [Line(number=chunk[0].line, outcome=RowOutcome.FAILED, why=str(error))]
    middle = len(chunk) // 2
    halves = chunk[:middle], chunk[middle:]
    return [line for half in halves for line in _import_or_divide(database, half, now, dry_run=dry_run)]


def _report(counts: Counter[RowOutcome], failures: list[Line], *, dry_run: bool) -> ImportReport:
    counted = {RowOutcome.ADDED, RowOutcome.CHANGED, RowOutcome.FAILED}
    return ImportReport(
        dry_run=dry_run,
        added=counts[RowOutcome.ADDED],
        changed=counts[RowOutcome.CHANGED],
        skipped=tuple(sorted((str(why), lines) for why, lines in counts.items() if why not in counted)),
        failed=counts[RowOutcome.FAILED],
        failures=tuple(failures),
    )


def _import_chunk(
    connection: Connection, chunk: Sequence[ImportRow | RowError], now: datetime, *, store: bool
) -> list[Line]:
    found = subscriber_import.statuses(connection, [row.key for row in chunk if isinstance(row, ImportRow)])
    done: list[Line] = []
    people: list[NewPerson] = []
    wanted: list[tuple[str, Subscription]] = []
    for one in chunk:
        if isinstance(one, RowError):
            done.append(Line(number=one.line, outcome=RowOutcome.FAILED, why=one.why))
            continue
        status = found[one.key]
        outcome = decide(one, status)
        done.append(Line(number=one.line, outcome=outcome, why=reason(one, status, outcome)))
        if outcome in {RowOutcome.ADDED, RowOutcome.CHANGED}:
            if outcome is RowOutcome.ADDED:
                people.append(_new_person(one, status, now))
            wanted.append((one.key, one.choices.subscriptions[0]))
            _apply_to_status(one, status)
    if store:
        subscriber_import.add_people(connection, people, now)
        subscriber_import.subscribe_all(connection, wanted, now)
    return done


def _new_person(row: ImportRow, status: AddressStatus, now: datetime) -> NewPerson:
    return NewPerson(
        address=row.address,
        choices=row.choices,
        consent=row.consent,
        created_at=row.created_at or now,
        paused_until=row.paused_until,
        was=status.state,
    )


def _apply_to_status(row: ImportRow, status: AddressStatus) -> None:
    """Update the status for later rows of the chunk."""
    status.state = SubscriberState.ACTIVE
    status.digests.add(row.digest)
