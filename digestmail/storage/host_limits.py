"""Rate limits of the hosts that sources read, shared by all processes that use the database."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from digestmail.schedule.moments import SKEW, bounded
from digestmail.storage.database import Database
from digestmail.storage.schema import host_limits
from digestmail.storage.upsert import insert

LONGEST_QUEUE = timedelta(minutes=15)
"""How far ahead requests can be reserved."""
LONGEST = timedelta(days=1)
"""The longest Retry-After that is honored (`sources.http.retry_after.LONGEST_WAIT`)."""


def forget_idle(connection: Connection, now: datetime) -> int:
    """Delete the limits of hosts that may be asked at once and were not asked for a day; return how many."""
    h = host_limits.c
    is_idle = (h.next_at < now - LONGEST) & (h.blocked_until.is_(None) | (h.blocked_until < now))
    return connection.execute(delete(host_limits).where(is_idle)).rowcount


class StoredHostLimits:
    """The rate limit of each host, stored in the database."""

    def __init__(self, database: Database, *, own_hosts: frozenset[str] = frozenset()) -> None:
        """Store the limits in `database`. Requests to `own_hosts`, which the operator runs, are not spaced out."""
        self._database = database
        self._own_hosts = own_hosts

    def reserve(self, host: str, now: datetime, min_interval: float) -> datetime:
        """Reserve the next free time for one request to `host`, at or after `now`, and return it."""
        h = host_limits.c
        with self._database.begin() as connection:
            row = insert(connection, host_limits).values(host=host, next_at=now)
            # An update that changes nothing locks the row, so that it is not forgotten meanwhile.
            connection.execute(row.on_conflict_do_update(index_elements=["host"], set_={"host": host}))
            known = connection.execute(select(h.next_at, h.blocked_until).where(h.host == host).with_for_update()).one()
            earliest = bounded(known.blocked_until or now, now, LONGEST + SKEW)
            reserved = bounded(known.next_at, earliest, LONGEST_QUEUE)
            after = reserved + timedelta(seconds=0 if host in self._own_hosts else min_interval)
            connection.execute(update(host_limits).where(h.host == host).values(next_at=after))
        return reserved

    def block(self, host: str, until: datetime) -> None:
        """Block requests to `host` until `until`."""
        with self._database.begin() as connection:
            statement = insert(connection, host_limits).values(host=host, next_at=until, blocked_until=until)
            known = host_limits.c.blocked_until
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["host"],
                    set_={"blocked_until": until},
                    where=known.is_(None) | (known < until) | (known > until + LONGEST),
                )
            )
