"""Editions for outputs beside email: queued in the publishing transaction, claimed with a fence, and recorded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, select, tuple_, update

from digestmail.model.deliveries import Attempted, DeliveryState
from digestmail.model.digests import OutputTarget
from digestmail.model.outputs import ClaimedOutput
from digestmail.schedule.moments import LONGEST_DELIVERY
from digestmail.storage import upsert
from digestmail.storage.schema import output_attempts, output_deliveries, stopped_outputs

new_token = partial(secrets.token_hex, 16)


def enqueue(
    connection: Connection,
    edition_id: int,
    targets: Iterable[OutputTarget],
    now: datetime,
    *,
    token: Callable[[], str] = new_token,
) -> int:
    """Queue an edition for each target that is not stopped; return how many rows were added."""
    wanted = tuple(targets)
    if not wanted:
        return 0
    stopped = {(row.output, row.destination) for row in connection.execute(select(stopped_outputs))}
    rows = [
        {
            "edition_id": edition_id,
            "output": target.output,
            "destination": target.destination,
            "token": token(),
            "state": DeliveryState.QUEUED,
            "attempts": 0,
            "due_at": now,
            "fence": 0,
            "queued_at": now,
        }
        for target in wanted
        if (target.output, target.destination) not in stopped
    ]
    added = upsert.insert(connection, output_deliveries).on_conflict_do_nothing()
    return sum(connection.execute(added, row).rowcount for row in rows)


def has_open(connection: Connection) -> bool:
    """Return whether anything is queued. This reads one index entry."""
    d = output_deliveries.c
    return connection.execute(select(d.id).where(d.due_at.is_not(None)).limit(1)).first() is not None


def has_due(connection: Connection, now: datetime) -> bool:
    """Return whether anything is due. This reads two index entries."""
    return connection.execute(select(output_deliveries.c.id).where(_is_due(now)).limit(1)).first() is not None


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a row is due. A time further ahead than possible was written with a wrong clock."""
    d = output_deliveries.c
    return (d.due_at <= now) | (d.due_at > now + LONGEST_DELIVERY)


def cancel_unknown(
    connection: Connection, targets: Collection[OutputTarget], now: datetime, *, before: datetime
) -> int:
    """Cancel what was queued before a time for targets that are not configured; return how many."""
    d = output_deliveries.c
    known = [(target.output, target.destination) for target in targets]
    conditions: list[ColumnElement[bool]] = [d.due_at.is_not(None), d.queued_at <= before]
    if known:
        conditions.append(tuple_(d.output, d.destination).not_in(known))
    return _end(connection, and_(*conditions), DeliveryState.CANCELLED, "the output is not configured any more", now)


def cancel_open(connection: Connection, reason: str, now: datetime) -> int:
    """Cancel everything that is queued; return how many."""
    return _end(connection, output_deliveries.c.due_at.is_not(None), DeliveryState.CANCELLED, reason, now)


def claim(
    connection: Connection,
    now: datetime,
    lease: timedelta,
    *,
    targets: Collection[OutputTarget] | None = None,
    not_output: Collection[str] = (),
) -> ClaimedOutput | None:
    """Claim the next edition that is due, and record the intent to send it, which is the state `sending`.

    No other worker gets it before `lease` is over. Only editions for `targets` are claimed (default: all), and none for
    the outputs in `not_output`.
    """
    d = output_deliveries.c
    statement = select(output_deliveries).where(_is_due(now)).order_by(d.due_at, d.id).limit(1)
    if targets is not None:
        known = [(target.output, target.destination) for target in targets]
        statement = statement.where(tuple_(d.output, d.destination).in_(known))
    if not_output:
        statement = statement.where(d.output.not_in(not_output))
    row = connection.execute(statement.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    values = {
        "state": DeliveryState.SENDING,
        "attempts": row.attempts + 1,
        "fence": row.fence + 1,
        "due_at": now + lease,
    }
    connection.execute(update(output_deliveries).where(d.id == row.id).values(values))
    return _claimed(row)


def _claimed(row: Row[tuple[object, ...]]) -> ClaimedOutput:
    return ClaimedOutput(
        id=row.id,
        edition_id=row.edition_id,
        target=OutputTarget(output=row.output, destination=row.destination),
        token=row.token,
        fence=row.fence + 1,
        attempts=row.attempts + 1,
        queued_at=row.queued_at,
        state=DeliveryState(row.state),
    )


def record(connection: Connection, claimed: ClaimedOutput, result: Attempted, now: datetime) -> bool:
    """Record the result of a claim; return whether the claim still held. Repeating it gives the same result."""
    d = output_deliveries.c
    holds = (d.id == claimed.id) & (d.fence == claimed.fence) & d.due_at.is_not(None)
    if result.kept is not None:
        # The row is locked first, so that the attempt cannot outlive it.
        held = connection.execute(select(d.id).where(holds).with_for_update()).first() is not None
        if held:
            _keep(connection, claimed, result, now)
    values = {
        "state": result.state,
        "attempts": claimed.attempts - (not result.begun),
        "due_at": result.due_at,
        "ended_at": now if result.due_at is None else None,
        "code": result.code,
        "text": result.text or None,
        "milliseconds": result.milliseconds,
    }
    return bool(connection.execute(update(output_deliveries).where(holds).values(values)).rowcount)


def _keep(connection: Connection, claimed: ClaimedOutput, result: Attempted, now: datetime) -> None:
    row = {
        "output_delivery_id": claimed.id,
        "number": claimed.attempts,
        "state": result.kept,
        "at": now,
        "code": result.code,
        "text": result.text or None,
        "milliseconds": result.milliseconds,
    }
    connection.execute(upsert.insert(connection, output_attempts).on_conflict_do_nothing(), row)


def stop(connection: Connection, target: OutputTarget, reason: str, now: datetime, *, but: int) -> int:
    """Stop a target: its open rows fail, except the row `but`, and it gets no editions until it is resumed.

    Returns how many rows failed.
    """
    s = stopped_outputs.c
    is_same = (s.output == target.output) & (s.destination == target.destination)
    if connection.execute(select(s.at).where(is_same)).first() is None:
        row = {"output": target.output, "destination": target.destination, "at": now, "reason": reason}
        connection.execute(insert(stopped_outputs), row)
    d = output_deliveries.c
    waiting = (d.output == target.output) & (d.destination == target.destination) & d.due_at.is_not(None)
    waiting &= d.id != but
    return _end(connection, waiting, DeliveryState.FAILED, f"the output was stopped: {reason}", now)


def _end(connection: Connection, which: ColumnElement[bool], state: DeliveryState, reason: str, now: datetime) -> int:
    d = output_deliveries.c
    ended = update(output_deliveries).where(which)
    values = {"state": state, "due_at": None, "ended_at": now, "text": reason, "fence": d.fence + 1}
    return connection.execute(ended.values(values)).rowcount
