"""When people left: one digest, or everything. A row outlives the coming back; it goes with its person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from digestmail.storage.schema import departures
from digestmail.storage.upsert import chunks, insert

EVERYTHING = ""
"""In the place of a digest's name: the person left, or was suppressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """When somebody last left `digest`, or everything."""

    digest: str
    left_at: datetime


def note(connection: Connection, subscriber_id: int, digests: Iterable[str], now: datetime) -> None:
    """Remember that a person left these digests at `now`."""
    rows = [{"subscriber_id": subscriber_id, "digest": digest, "left_at": now} for digest in digests]
    if rows:
        statement = insert(connection, departures)
        left_at = statement.excluded.left_at
        connection.execute(
            statement.on_conflict_do_update(index_elements=["subscriber_id", "digest"], set_={"left_at": left_at}), rows
        )


def forget(connection: Connection, subscriber_id: int, digest: str, left_at: datetime) -> None:
    """Take back what was noted at `left_at`."""
    d = departures.c
    mine = d.subscriber_id == subscriber_id, d.digest == digest, d.left_at == left_at
    connection.execute(delete(departures).where(*mine))


def of(connection: Connection, subscriber_ids: Sequence[int]) -> Iterator[tuple[int, Departure]]:
    """Yield (subscriber id, what they left) of these people."""
    d = departures.c
    for some in chunks(subscriber_ids):
        for row in connection.execute(select(departures).where(d.subscriber_id.in_(some)).order_by(d.digest)):
            yield row.subscriber_id, Departure(digest=row.digest, left_at=row.left_at)
