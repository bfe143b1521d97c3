"""When people unsubscribed from a digest or from everything. A row stays when they subscribe again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from digestmail.storage.schema import opt_outs
from digestmail.storage.upsert import chunks, insert

EVERYTHING = ""
"""Used instead of a digest's name: the person unsubscribed from everything, or was suppressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """When a person last unsubscribed from `digest`, or from everything."""

    digest: str
    opted_out_at: datetime


def record(connection: Connection, subscriber_id: int, digests: Iterable[str], now: datetime) -> None:
    """Record that a person unsubscribed from these digests at `now`."""
    rows = [{"subscriber_id": subscriber_id, "digest": digest, "opted_out_at": now} for digest in digests]
    if rows:
        statement = insert(connection, opt_outs)
        latest = {"opted_out_at": statement.excluded.opted_out_at}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["subscriber_id", "digest"], set_=latest), rows
        )


def delete_one(connection: Connection, subscriber_id: int, digest: str, opted_out_at: datetime) -> None:
    """Delete the opt-out that was recorded at `opted_out_at`."""
    o = opt_outs.c
    mine = o.subscriber_id == subscriber_id, o.digest == digest, o.opted_out_at == opted_out_at
    connection.execute(delete(opt_outs).where(*mine))


def of(connection: Connection, subscriber_ids: Sequence[int]) -> Iterator[tuple[int, OptOut]]:
    """Yield each opt-out of these subscribers, with the subscriber's id."""
    o = opt_outs.c
    for some in chunks(subscriber_ids):
        for row in connection.execute(select(opt_outs).where(o.subscriber_id.in_(some)).order_by(o.digest)):
            yield row.subscriber_id, OptOut(digest=row.digest, opted_out_at=row.opted_out_at)
