"""Editions for outputs, as the operator lists and retries them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import OutputTarget
from digestmail.model.outputs import StoppedOutput, StoredOutput
from digestmail.storage.schema import editions, output_deliveries, stopped_outputs

_RETRIED = (DeliveryState.FAILED, DeliveryState.AMBIGUOUS)


def list_rows(
    connection: Connection,
    *,
    output: str | None = None,
    states: Sequence[DeliveryState] = (),
    before: datetime | None = None,
    limit: int = 1000,
) -> tuple[StoredOutput, ...]:
    """Return rows, newest first: of one output, in some states, or queued before a time, if given."""
    d, e = output_deliveries.c, editions.c
    statement = (
        select(output_deliveries, e.digest, e.slot)
        .join(editions, e.id == d.edition_id)
        .order_by(d.id.desc())
        .limit(limit)
    )
    if output is not None:
        statement = statement.where(d.output == output)
    if states:
        statement = statement.where(d.state.in_(states))
    if before is not None:
        statement = statement.where(d.queued_at < before)
    return tuple(
        StoredOutput(
            digest=row.digest,
            slot=row.slot,
            output=row.output,
            destination=row.destination,
            state=DeliveryState(row.state),
            attempts=row.attempts,
            queued_at=row.queued_at,
            due_at=row.due_at,
            ended_at=row.ended_at,
            code=row.code,
            text=row.text or "",
        )
        for row in connection.execute(statement)
    )


def stopped(connection: Connection) -> tuple[StoppedOutput, ...]:
    """Return the targets that were stopped."""
    rows = connection.execute(select(stopped_outputs).order_by(stopped_outputs.c.output))
    return tuple(
        StoppedOutput(target=OutputTarget(output=row.output, destination=row.destination), at=row.at, reason=row.reason)
        for row in rows
    )


def resume(connection: Connection, output: str) -> int:
    """Remove the stops of an output; return how many targets were stopped."""
    return connection.execute(delete(stopped_outputs).where(stopped_outputs.c.output == output)).rowcount


def retry(
    connection: Connection, output: str, now: datetime, *, digest: str | None = None, slot: str | None = None
) -> int:
    """Put failed and ambiguous rows of an output back into the queue, due at once; return how many.

    If a digest and a slot are named, rows of that edition that were cancelled are queued again too.
    """
    d, e = output_deliveries.c, editions.c
    named = digest is not None and slot is not None
    states = (*_RETRIED, DeliveryState.CANCELLED) if named else _RETRIED
    statement = update(output_deliveries).where(d.output == output, d.state.in_(states))
    if digest is not None:
        chosen = select(e.id).where(e.digest == digest)
        statement = statement.where(d.edition_id.in_(chosen if slot is None else chosen.where(e.slot == slot)))
    # `queued_at` too, because attempts are given up so long after it.
    values = {"state": DeliveryState.QUEUED, "due_at": now, "queued_at": now, "ended_at": None}
    return connection.execute(statement.values(values)).rowcount
