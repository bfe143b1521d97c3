"""Gates: one per host, so that all processes of a database together ask it no more often than it wants."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update

from digestmail.moments import SKEW, bounded
from digestmail.storage.database import Database
from digestmail.storage.inserting import insert
from digestmail.storage.schema import gates

LONGEST_QUEUE = timedelta(minutes=15)
"""How far ahead requests may be booked, one behind the other."""
LONGEST = timedelta(days=1)
"""How long a server may ask us to stay away (`throttling.LONGEST_WAIT`)."""


class StoredGates:
    """Gates kept in the database."""

    def __init__(self, database: Database, *, own_hosts: frozenset[str] = frozenset()) -> None:
        """Keep them in `database`. `own_hosts` are the operator's own: no pause between two requests to them."""
        self._database = database
        self._own_hosts = own_hosts

    def reserve(self, host: str, now: datetime, min_interval: float) -> datetime:
        """Book the next free moment, at or after `now`, for one request to `host` and return it."""
        with self._database.begin() as connection:
            connection.execute(insert(connection, gates).values(host=host, opens_at=now).on_conflict_do_nothing())
            this = gates.c.host == host
            row = connection.execute(select(gates.c.opens_at, gates.c.closed_until).where(this).with_for_update()).one()
            closed_until = bounded(row.closed_until or now, now, LONGEST + SKEW)
            # Queued behind the end of the server's wish, or from now on.
            booked = bounded(row.opens_at, closed_until, LONGEST_QUEUE)
            after = booked + timedelta(seconds=0 if host in self._own_hosts else min_interval)
            connection.execute(update(gates).where(this).values(opens_at=after))
        return booked

    def close(self, host: str, until: datetime) -> None:
        """Let nobody ask `host` before `until`."""
        with self._database.begin() as connection:
            statement = insert(connection, gates).values(host=host, opens_at=until, closed_until=until)
            known = gates.c.closed_until
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["host"],
                    set_={"closed_until": until},
                    where=known.is_(None) | (known < until) | (known > until + LONGEST),
                )
            )
