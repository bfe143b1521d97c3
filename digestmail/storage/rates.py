"""Rate limits and circuit breakers of relays and recipient domains, shared by all workers of the database.

A key is `relay:NAME` or `domain:NAME`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, text, update

from digestmail.schedule.moments import LONGEST_PAUSE, SKEW, age, bounded, is_ahead, is_credible, is_recent
from digestmail.storage.schema import connection_leases, rates
from digestmail.storage.upsert import insert

RECOVERY = timedelta(minutes=1)
"""The time in which the rate of a slowed key doubles, if there are no new refusals."""
SLOWEST = 1 / 64
_SLOWEST_MEASURED = 1 / 8192
_BELOW = 0.95
"""A measured key gets slightly less than what it accepted, so that it does not refuse again at once."""
_STEEPEST = 1 / 8
"""The lower bound for a single measurement, which may be wrong if the server allows bursts. The next one follows after
two seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """An open circuit breaker: no attempts for this key until `until`, and why."""

    key: str
    until: datetime
    reason: str

    def __str__(self) -> str:
        """Return the sentence for reports."""
        return f"{self.key.partition(':')[2]} is paused until {self.until:%Y-%m-%d %H:%M} UTC: {self.reason}"


def reserve(
    connection: Connection, key: str, per_second: float, count: int, now: datetime, within: timedelta
) -> tuple[int, datetime]:
    """Reserve up to `count` messages in the time `within`; return how many, and the time of the next one.

    It is the generic cell rate algorithm at `per_second` (> 0). Reservations are shared by all workers and survive
    restarts. Messages that have to wait are not reserved.
    """
    step = timedelta(seconds=1 / per_second)
    # Reservations never go further ahead than this; later times were written with a wrong clock.
    first = bounded(_row(connection, key, now).next_at, now, within + step + SKEW)
    booked = min(count, max((now + within - first) // step + 1, 0))
    next_at = first + step * booked
    next_at += timedelta(microseconds=-next_at.microsecond % 1000)  # columns store milliseconds and truncate the rest
    if booked:
        connection.execute(update(rates).where(rates.c.key == key).values(next_at=next_at))
    return booked, next_at


def room(connection: Connection, key: str, per_second: float, now: datetime, within: timedelta) -> tuple[int, datetime]:
    """Return how many messages `reserve` would reserve, and when the next one may be sent. Changes nothing."""
    next_at = connection.execute(select(rates.c.next_at).where(rates.c.key == key)).scalar()
    first = max(next_at or now, now)
    return max((now + within - first) // timedelta(seconds=1 / per_second) + 1, 0), first


def factors(connection: Connection, now: datetime) -> dict[str, float]:
    """Return the keys that are slowed down, each with its share of full speed (0..1), recovered up to `now`."""
    rows = connection.execute(select(rates.c.key, rates.c.factor, rates.c.slowed_at).where(rates.c.factor < 1))
    found = {row.key: _recovered(row.factor, row.slowed_at, now) for row in rows}
    return {key: factor for key, factor in found.items() if factor < 1}


def slow_down(connection: Connection, key: str, now: datetime, measured: float | None = None) -> float:
    """Slow `key` down, at most once in two seconds because refusals come in bursts; return the share of full speed.

    With `measured`, the share (0..) that one worker achieved, slow down to slightly less than what all workers achieve.
    Without it, halve the speed.
    """
    row = _row(connection, key, now)
    factor = _recovered(row.factor, row.slowed_at, now)
    # A measurement takes two seconds, but may be written slightly earlier than that.
    apart = timedelta(seconds=2 if measured is None else 1)
    if row.slowed_at is not None and is_recent(row.slowed_at, now, apart):
        return factor
    if measured is None:
        factor = max(factor / 2, min(factor, SLOWEST))
    else:
        share = measured * _workers(connection, key, now) * _BELOW
        factor = max(min(max(share, factor * _STEEPEST), factor * _BELOW), _SLOWEST_MEASURED)
    connection.execute(update(rates).where(rates.c.key == key).values(factor=factor, slowed_at=now))
    return factor


def _recovered(factor: float, slowed_at: datetime | None, now: datetime) -> float:
    """Return the share of full speed at `now`. A time in the future is ignored."""
    if slowed_at is None:
        return factor
    if is_ahead(slowed_at, now):
        return 1.0
    # 32 doublings recover everything.
    return float(min(factor * 2 ** min(age(slowed_at, now) / RECOVERY, 32), 1.0))


def _workers(connection: Connection, key: str, now: datetime) -> int:
    """Return how many workers hold connections of `key`, at least one."""
    held = select(func.count()).where(connection_leases.c.key == key, connection_leases.c.until > now)
    return max(int(connection.execute(held).scalar_one()), 1)


def pause(connection: Connection, key: str, until: datetime, reason: str, now: datetime) -> None:
    """Open the circuit breaker of `key` until `until`."""
    _row(connection, key, now)
    connection.execute(update(rates).where(rates.c.key == key).values(paused_until=until, reason=reason))


def pauses(connection: Connection, now: datetime) -> tuple[Pause, ...]:
    """Return the open circuit breakers, except those longer than `LONGEST_PAUSE`."""
    rows = connection.execute(
        select(rates.c.key, rates.c.paused_until, rates.c.reason)
        .where(rates.c.paused_until > now, rates.c.paused_until <= now + LONGEST_PAUSE)
        .order_by(rates.c.key)
    )
    return tuple(Pause(key=row.key, until=row.paused_until, reason=row.reason or "") for row in rows)


def resume(connection: Connection) -> int:
    """Close all circuit breakers; return how many were open."""
    done = connection.execute(
        update(rates).where(rates.c.paused_until.is_not(None)).values(paused_until=None, reason=None)
    )
    return done.rowcount


def _row(connection: Connection, key: str, now: datetime) -> _Rate:
    """Return the row of `key`. No other transaction changes any key before this one ends.

    A transaction slows keys down, books messages and leases connections one after the other. If it locked single rows,
    two workers could wait for each other.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE rates IN SHARE ROW EXCLUSIVE MODE"))
    connection.execute(
        insert(connection, rates)
        .values(key=key, next_at=now, factor=1.0)
        .on_conflict_do_nothing(index_elements=["key"])
    )
    row = connection.execute(select(rates.c.next_at, rates.c.factor, rates.c.slowed_at).where(rates.c.key == key)).one()
    if not is_credible(row.next_at, now, LONGEST_PAUSE):
        connection.execute(update(rates).where(rates.c.key == key).values(next_at=now))
        return _Rate(next_at=now, factor=row.factor, slowed_at=row.slowed_at)
    return _Rate(next_at=row.next_at, factor=row.factor, slowed_at=row.slowed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    next_at: datetime
    factor: float
    slowed_at: datetime | None


# -- connections -----------------------------------------------------------------------------------------------------


def lease_connections(
    connection: Connection, worker: str, wishes: Mapping[str, int], now: datetime, lease: timedelta
) -> dict[str, int]:
    """Lease connections of each key to `worker`: the limit, minus those of other workers, but at most an equal share.

    `wishes` maps keys to limits. With a repeated call before `lease` ends, the worker takes released connections, and
    leaves those above its share to workers that came later. A worker always gets at least one.
    """
    granted: dict[str, int] = {}
    for key in sorted(wishes):
        _row(connection, key, now)  # so that one worker counts at a time
        workers, others = _others(connection, worker, key, now, lease)
        share = math.ceil(wishes[key] / (workers + 1))
        granted[key] = max(min(wishes[key] - others, share), 1)
        values = {"connections": granted[key], "until": now + lease}
        row = insert(connection, connection_leases).values(key=key, worker=worker, **values)
        connection.execute(row.on_conflict_do_update(index_elements=["key", "worker"], set_=values))
    return granted


def are_shared(connection: Connection, worker: str, key: str, now: datetime, lease: timedelta) -> bool:
    """Return whether workers other than `worker` have connections of `key`."""
    return _others(connection, worker, key, now, lease)[0] > 0


def _others(connection: Connection, worker: str, key: str, now: datetime, lease: timedelta) -> tuple[int, int]:
    """Return how many other workers have connections of `key`, and how many connections those are."""
    workers, others = connection.execute(
        select(func.count(), func.coalesce(func.sum(connection_leases.c.connections), 0)).where(
            connection_leases.c.key == key,
            connection_leases.c.worker != worker,
            connection_leases.c.until > now,
            connection_leases.c.until <= now + lease + SKEW,
        )
    ).one()
    return int(workers), int(others)


def release_connections(
    connection: Connection, worker: str, now: datetime, keys: Collection[str] | None = None
) -> None:
    """Release a worker's connections, and those of dead workers."""
    mine = connection_leases.c.worker == worker
    if keys is not None:
        mine &= connection_leases.c.key.in_(list(keys))
    over = (connection_leases.c.until <= now) | (connection_leases.c.until > now + LONGEST_PAUSE)
    connection.execute(delete(connection_leases).where(mine | over))
