"""Subscribers out to a CSV and in from one: a million lines in flat memory, and nobody without consent."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol

from sqlalchemy import Connection

from digestmail.errors import SubscriptionError
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Consent, SubscriberState, Subscription
from digestmail.storage import subscriber_import, subscribers
from digestmail.storage.database import Database
from digestmail.storage.erasing import is_erased
from digestmail.storage.subscriber_import import AddressStatus, NewPerson
from digestmail.subscribers.csv_format import COLUMNS, rows_of
from digestmail.subscribers.csv_import import ImportRow, Reader, RowError, RowOutcome, decide, reason

_CHUNK = 4000
"""Lines read, looked up and stored in one transaction."""
_NAMED = 1000
"""Failed lines a report names; the others are only counted."""


class Writable(Protocol):
    """Where text goes."""

    def write(self, text: str, /) -> object:
        """Write `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What became of one line of the file."""

    number: int
    outcome: RowOutcome
    why: str = ""
    """What is wrong with a failed one, or since when somebody has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or with `dry_run` would do, counted in lines."""

    dry_run: bool
    added: int
    """Lines that made somebody a subscriber."""
    changed: int
    """Lines that gave a subscriber one digest more."""
    skipped: tuple[tuple[str, int], ...]
    """(reason, lines), by reason."""
    failed: int
    failures: tuple[Line, ...]
    """The first thousand failed lines."""


def export(database: Database, out: Writable) -> int:
    """Write every subscriber to `out` as CSV (RFC 4180), a row for each digest of theirs; return how many rows.

    Who was erased is not among them. No cell is one a spreadsheet would run as a formula.
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
    """Return the consent that holds for all lines without their own. Raises SubscriptionError for half of one."""
    if source is None and at is None:
        return None
    if not (source and source.strip()) or at is None:
        raise SubscriptionError("a consent is where and when they agreed: both, or neither")
    if at > now:
        raise SubscriptionError("nobody can have agreed in the future")
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
    """Subscribe the people in `lines` of a CSV with a header; `tell` hears what became of each line.

    A transaction holds a few thousand lines; after a crash the same file is imported again, and what is there already
    is skipped. With `dry_run` nothing is stored, and a person on lines far apart may count as new twice. Raises
    SubscriptionError when the header cannot be read.
    """
    read = Reader(digests=tuple(digests), languages=languages, consent=consent, now=now).read(lines)
    counts: Counter[RowOutcome] = Counter()
    failures: list[Line] = []
    while chunk := list(islice(read, _CHUNK)):
        with database.connect() if dry_run else database.begin() as connection:
            done = _import_chunk(connection, chunk, now, store=not dry_run)
        # Told once it is committed: what was said has happened.
        counts.update(line.outcome for line in done)
        failures += [line for line in done if line.outcome is RowOutcome.FAILED][: _NAMED - len(failures)]
        for line in done:
            tell(line)
    return _report(counts, failures, dry_run=dry_run)


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
    found = subscriber_import.standings(connection, [wish.key for wish in chunk if isinstance(wish, ImportRow)])
    done: list[Line] = []
    people: list[NewPerson] = []
    wanted: list[tuple[str, Subscription]] = []
    for one in chunk:
        if isinstance(one, RowError):
            done.append(Line(number=one.line, outcome=RowOutcome.FAILED, why=one.why))
            continue
        standing = found[one.key]
        outcome = decide(one, standing)
        done.append(Line(number=one.line, outcome=outcome, why=reason(one, standing, outcome)))
        if outcome in {RowOutcome.ADDED, RowOutcome.CHANGED}:
            if outcome is RowOutcome.ADDED:
                people.append(_new(one, standing, now))
            wanted.append((one.key, one.choices.subscriptions[0]))
            _note(one, standing)
    if store:
        subscriber_import.add_people(connection, people, now)
        subscriber_import.subscribe_all(connection, wanted, now)
    return done


def _new(wish: ImportRow, standing: AddressStatus, now: datetime) -> NewPerson:
    return NewPerson(
        address=wish.address,
        choices=wish.choices,
        consent=wish.consent,
        created_at=wish.created_at or now,
        paused_until=wish.paused_until,
        was=standing.state,
    )


def _note(wish: ImportRow, standing: AddressStatus) -> None:
    """Let later lines of the chunk see what this one did."""
    standing.state = SubscriberState.ACTIVE
    standing.digests.add(wish.digest)
