"""Servers: how far each mail server takes pipelined commands, remembered for later runs and for the other workers.

A server is known by `host:port` and by its face: what it says about itself in the greeting and in its answer to EHLO.
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
"""One trial a day on a server, however many faces it has; a trial whose worker died is over by then, too."""
_TRIED_IN_VAIN = 6
"""Failures a trial counts for that went wrong at the first go: about a month of `_patience`."""
_MOST_FAILURES = 9
_SETTLED = timedelta(days=30)
"""A server that took commands behind the dot for so long has its failures forgotten."""
_FORGOTTEN = timedelta(days=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerObservation:
    """What was seen of a server: `trial` asks whether one may begin, anything else is a result."""

    server: str
    face: str
    manner: Manner


def known(connection: Connection, server: str, now: datetime) -> dict[str, Manner]:
    """Return the manner of each face of `server`, without those that may be tried anew."""
    rows = connection.execute(select(servers).where(servers.c.server == server))
    return {row.face: Manner(row.manner) for row in rows if _is_believed(row, now)}


def note(connection: Connection, seen: ServerObservation, now: datetime) -> bool:
    """Remember a result, or ask for a trial; return whether one may begin."""
    if seen.manner is Manner.TRIAL:
        return begin_trial(connection, seen.server, seen.face, now)
    learn(connection, seen, now)
    return False


def begin_trial(connection: Connection, server: str, face: str, now: datetime) -> bool:
    """Take the one trial there is; return False if another worker has it, or the answer is known or still too fresh.

    A trial that begins and never ends, because its worker died, holds for a day.
    """
    row = {"server": server, "face": face, "manner": Manner.TRIAL, "since": now, "failures": 0}
    # The first row of a server is its lock: it is there before anybody looks at the others.
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
    """Remember a result. Doing it again changes nothing."""
    mine = (servers.c.server == seen.server) & (servers.c.face == seen.face)
    before = connection.execute(select(servers).where(mine)).one_or_none()
    failures = 0
    if before is not None:
        if before.manner == seen.manner and _is_believed(before, now):
            return
        settled = before.manner == Manner.BEHIND_DOT and now - before.since > _SETTLED
        failures = 0 if settled else before.failures
    if seen.manner is not Manner.BEHIND_DOT:
        failures = _failed(failures, before.manner if before is not None else "", seen.manner)
    result = {"manner": seen.manner, "since": now, "failures": failures}
    connection.execute(
        insert(connection, servers)
        .values(server=seen.server, face=seen.face, **result)
        .on_conflict_do_update(index_elements=["server", "face"], set_=result)
    )


def _failed(failures: int, before: str, now: Manner) -> int:
    """Count one more failure; a trial that fails at once counts for a month."""
    if now is Manner.WITHIN and before != Manner.BEHIND_DOT:
        return min(max(failures + 1, _TRIED_IN_VAIN), _MOST_FAILURES)
    return min(failures + 1, _MOST_FAILURES)


def _is_believed(row: Row[Any], now: datetime) -> bool:
    """Return whether a manner holds still; what a clock that was ahead has dated does not."""
    if row.manner == Manner.BEHIND_DOT:
        return True
    return is_recent(row.since, now, _BETWEEN_TRIALS * (1 << max(row.failures - 1, 0)))
