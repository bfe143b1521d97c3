"""What there is to do in the outbox, and how it stands after a run: with nothing due, no worker is started."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from digestmail.bounces import counting
from digestmail.bounces.score import Scoring
from digestmail.model.reports import DeliverReport
from digestmail.storage import deliveries, due_times, rates, workers
from digestmail.storage.database import Database

LINGER: Final = timedelta(seconds=60)
"""A run waits for messages that are due this soon; later ones are left to the next run."""


def has_work(database: Database, now: datetime) -> bool:
    """Return whether a worker is needed. Reads the ends of two indexes, and tables that are nearly always empty.

    It is if a message is due or soon will be, or waits for a time too far ahead to be right; if a worker is recorded,
    which may be dead; and if sending is paused, so that the report says why.
    """
    with database.connect() as connection:
        next_due = due_times.next_due(connection)
        return (
            (next_due is not None and next_due <= now + LINGER)
            or due_times.is_beyond(connection, now)
            or bool(workers.list_all(connection))
            or bool(rates.pauses(connection, now))
        )


def outbox_report(connection: Connection, *, complete: bool = True, worked_on: Collection[int] = ()) -> DeliverReport:
    """Return the state of the outbox, with nothing sent.

    A report that is not `complete` counts the open deliveries, and all deliveries of the editions `worked_on` (ids): it
    costs the same after years of editions. Only the counted editions are checked.
    """
    if complete:
        counts, editions = deliveries.counts(connection), None
    else:
        counts, editions = deliveries.open_counts(connection), worked_on
        for edition_id in worked_on:
            for state, count in deliveries.ended_counts(connection, edition_id).items():
                counts[state] = counts.get(state, 0) + count
    return DeliverReport(
        outbox={str(state): counts[state] for state in sorted(counts)},
        next_due_at=due_times.next_due(connection),
        unbalanced=deliveries.unbalanced(connection, editions),
    )


def add_standing(
    database: Database,
    report: DeliverReport,
    now: datetime,
    scoring: Scoring,
    *,
    transports: Sequence[str] = (),
    worked_on: Collection[int] = (),
) -> DeliverReport:
    """Add the state of the outbox after a run to its report, and which domains block us.

    `transports` are the names of those that may be paused, `worked_on` the ids of the run's editions.
    """
    with database.connect() as connection:
        standing = outbox_report(connection, complete=False, worked_on=worked_on)
        blocks = counting.list_blocks(connection, now)
        paused = {pause.key: pause.until for pause in rates.pauses(connection, now)}
    if blocks:
        with database.begin() as connection:
            blocks = counting.hold_blocks(connection, now, scoring)
    next_due_at = standing.next_due_at
    untils = [paused.get(f"relay:{name}") for name in transports]
    closed = [until for until in untils if until is not None]
    if next_due_at is not None and closed and len(closed) == len(untils):
        next_due_at = max(next_due_at, min(closed))
    return replace(
        report, outbox=standing.outbox, next_due_at=next_due_at, unbalanced=standing.unbalanced, blocks=blocks
    )
