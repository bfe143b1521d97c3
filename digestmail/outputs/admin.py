"""Outputs as the operator sees them: what is queued, what failed, and what is tried again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import OutputTarget
from digestmail.model.outputs import StoppedOutput, StoredOutput
from digestmail.storage import output_admin
from digestmail.storage.database import Database

_LATE: Final = timedelta(hours=2)
_REMEMBERED: Final = timedelta(days=7)
_OPEN: Final = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)


def list_rows(
    database: Database, *, output: str | None = None, state: DeliveryState | None = None
) -> tuple[StoredOutput, ...]:
    """Return the last editions for outputs, newest first, each with its state for one target."""
    with database.connect() as connection:
        return output_admin.list_rows(connection, output=output, states=(state,) if state else ())


def stopped(database: Database, known: Collection[OutputTarget]) -> tuple[StoppedOutput, ...]:
    """Return the configured targets that asked for no more messages."""
    with database.connect() as connection:
        return tuple(one for one in output_admin.stopped(connection) if one.target in known)


def late(database: Database, now: datetime) -> tuple[StoredOutput, ...]:
    """Return the rows that are open two hours after they were queued."""
    with database.connect() as connection:
        return output_admin.list_rows(connection, states=_OPEN, before=now - _LATE)


def unfinished(database: Database, now: datetime) -> tuple[StoredOutput, ...]:
    """Return the rows whose outcome is unknown, and those that failed in the last seven days."""
    ended = DeliveryState.FAILED, DeliveryState.AMBIGUOUS
    with database.connect() as connection:
        found = output_admin.list_rows(connection, states=ended)
    return tuple(
        row
        for row in found
        if row.state is DeliveryState.AMBIGUOUS or (row.ended_at and row.ended_at > now - _REMEMBERED)
    )


def retry(
    database: Database, output: str, now: datetime, *, digest: str | None = None, slot: str | None = None
) -> tuple[int, int]:
    """Resume an output and queue its failed and ambiguous rows again; return (how many targets, how many rows).

    If an edition is named, its cancelled rows are queued again too.
    """
    with database.begin() as connection:
        resumed = output_admin.resume(connection, output)
        return resumed, output_admin.retry(connection, output, now, digest=digest, slot=slot)
