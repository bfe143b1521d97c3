"""How far each mail server supports pipelining, shared by workers and later runs.

A server is identified by `host:port` and by its face: its greeting and its EHLO response.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from digestmail.model.deliveries import Manner
from digestmail.schedule.moments import is_recent
from digestmail.storage.schema import servers
from digestmail.storage.upsert import insert

_BETWEEN_TRIALS = timedelta(days=1)
"""One trial a day for each server, however many faces it has. A trial of a dead worker has ended by then, too."""
_TRIED_IN_VAIN = 6
"""How many failures a trial counts that failed immediately: about a month of `_patience`."""
_MOST_FAILURES = 9
_RESET_FAILURES_AFTER = timedelta(days=30)
"""After this time behind the dot, the failures of a server are reset."""
_FORGOTTEN = timedelta(days=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerObservation:
    """An observation of a server. `trial` asks whether a trial may start; other values are results."""

    server: str
    face: str
    manner: Manner


def known(connection: Connection, server: str, now: datetime) -> dict[str, Manner]:
    """Return the manner of each face of `server`, except those that may be tried again."""
    rows = connection.execute(select(servers).where(servers.c.server == server))
    return {row.face: Manner(row.manner) for row in rows if _is_believed(row, now)}


def note(connection: Connection, seen: ServerObservation, now: datetime) -> bool:
    """Store a result, or ask for a trial; return whether it may start."""
    if seen.manner is Manner.TRIAL:
        return begin_trial(connection, seen.server, seen.face, now)
    learn(connection, seen, now)
    return False


def begin_trial(connection: Connection, server: str, face: str, now: datetime) -> bool:
    """Claim the trial; return False if another worker has it, or if the result is known or still recent.

    A trial that never ends, because its worker died, lasts a day.
    """
    row = {"server": server, "face": face, "manner": Manner.TRIAL, "since": now, "failures": 0}
    # The first row of a server is its lock, so it is created before the others are read.
    gate = {"server": server, "face": "", "manner": Manner.WITHIN, "since": now - _FORGOTTEN, "failures": 0}
    connection.execute(insert(connection, servers).values(gate).on_conflict_do_nothing())
    rows = connection.execute(select(servers).where(servers.c.server == server).with_for_update()).all()
    for one in rows:
        if one.face == face and _is_believed(one, now):
            return False
        if (one.failures or one.manner == Manner.TRIAL) and is_recent(one.since, now, _BETWEEN_TRIALS):
            return False
    connection.execute(
        insert(connection, servers)
        .values(row)
        .on_conflict_do_update(index_elements=["server", "face"], set_={"manner": Manner.TRIAL, "since": now})
    )
    old = (servers.c.server == server) & (servers.c.since < now - _FORGOTTEN) & (servers.c.face != "")
    connection.execute(delete(servers).where(old))
    return True


def learn(connection: Connection, seen: ServerObservation, now: datetime) -> None:
    """Store a result. Repeating it changes nothing."""
    mine = (servers.c.server == seen.server) & (servers.c.face == seen.face)
    before = connection.execute(select(servers).where(mine)).one_or_none()
    failures = 0
    if before is not None:
        if before.manner == seen.manner and _is_believed(before, now):
            return
        reliable = before.manner == Manner.BEHIND_DOT and now - before.since > _RESET_FAILURES_AFTER
        failures = 0 if reliable else before.failures
    if seen.manner is not Manner.BEHIND_DOT:
        failures = _failed(failures, before.manner if before is not None else "", seen.manner)
    result = {"manner": seen.manner, "since": now, "failures": failures}
    connection.execute(
        insert(connection, servers)
        .values(server=seen.server, face=seen.face, **result)
        .on_conflict_do_update(index_elements=["server", "face"], set_=result)
    )


def _failed(failures: int, before: str, now: Manner) -> int:
    """Count one more failure. A trial that fails at once counts for a month."""
    if now is Manner.WITHIN and before != Manner.BEHIND_DOT:
        return min(max(failures + 1, _TRIED_IN_VAIN), _MOST_FAILURES)
    return min(failures + 1, _MOST_FAILURES)


def _is_believed(row: Row[Any], now: datetime) -> bool:
    """Return whether a stored manner is still valid. Times in the future are not."""
    if row.manner == Manner.BEHIND_DOT:
        return True
    return is_recent(row.since, now, _BETWEEN_TRIALS * (1 << max(row.failures - 1, 0)))
