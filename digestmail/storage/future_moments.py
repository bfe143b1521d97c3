"""All time columns, and how far ahead their values may be. Later values were written with a wrong clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Column, Connection, func, select

from digestmail.schedule.moments import LONGEST_DELIVERY, LONGEST_HOLIDAY, LONGEST_PAUSE, SKEW
from digestmail.storage import schema
from digestmail.storage.host_limits import LONGEST, LONGEST_QUEUE

_PAST: Final = SKEW
_UNLIMITED: Final = None
LIMITS: Final[Mapping[str, timedelta | None]] = {
    # Sources may date papers on any day.
    "papers.published_at": _UNLIMITED,
    "papers.first_seen_at": _PAST,
    "papers.updated_at": _PAST,
    "sightings.seen_at": _PAST,
    "paper_records.read_at": _PAST,
    "sources.read_at": _PAST,
    "sources.complete_at": _PAST,
    "source_health.read_at": _PAST,
    "source_health.fresh_at": _PAST,
    "source_health.absent_since": _PAST,
    "source_health.reported_at": _PAST,
    "validators.stored_at": _PAST,
    "validators.received_at": _PAST,
    # Reserved after the end of a Retry-After.
    "host_limits.next_at": LONGEST + LONGEST_QUEUE,
    "host_limits.blocked_until": LONGEST + SKEW,
    "subscribers.paused_from": _PAST,
    "subscribers.paused_until": LONGEST_HOLIDAY,
    "subscribers.consent_at": _PAST,
    "subscribers.created_at": _PAST,
    "subscribers.updated_at": _PAST,
    "subscribers.address_changed_at": _PAST,
    "subscriptions.created_at": _PAST,
    "subscriptions.cadence_at": _PAST,
    "opt_outs.opted_out_at": _PAST,
    "confirmations.asked_at": _PAST,
    "address_changes.asked_at": _PAST,
    "address_requests.asked_at": _PAST,
    "changes.made_at": _PAST,
    "changes.undone_at": _PAST,
    "feedback.given_at": _PAST,
    "profiles.updated_at": _PAST,
    "reading_lists.added_at": _PAST,
    "reading_lists.read_at": _PAST,
    "reading_lists.tried_at": _PAST,
    "unsubscribe_mails.at": _PAST,
    "suppressions.created_at": _PAST,
    "bounces.at": _PAST,
    "editions.slot_at": _PAST,
    "editions.composed_at": _PAST,
    "deliveries.due_at": LONGEST_DELIVERY,
    # Queued for the hour that the subscriber chose.
    "deliveries.queued_at": LONGEST_DELIVERY,
    "deliveries.ended_at": _PAST,
    "attempts.at": _PAST,
    "notice_attempts.at": _PAST,
    "notices.due_at": LONGEST_DELIVERY,
    "notices.queued_at": _PAST,
    "notices.ended_at": _PAST,
    "incidents.began_at": _PAST,
    "incidents.announced_at": _PAST,
    "incidents.ended_at": _PAST,
    "runs.started_at": _PAST,
    "runs.ended_at": _PAST,
    # Deferred by Retry-After, at most a day.
    "output_deliveries.due_at": LONGEST_DELIVERY,
    "output_deliveries.queued_at": _PAST,
    "output_deliveries.ended_at": _PAST,
    "output_attempts.at": _PAST,
    "stopped_outputs.at": _PAST,
    "rates.next_at": LONGEST_PAUSE,
    "rates.slowed_at": _PAST,
    "rates.paused_until": LONGEST_PAUSE,
    "connection_leases.until": LONGEST_PAUSE,
    "servers.since": _PAST,
    "oauth_tokens.obtained_at": _PAST,
    # Tokens are kept for a day at most (`oauth.answers`).
    "oauth_tokens.expires_at": timedelta(days=1) + SKEW,
    "workers.seen_at": _PAST,
    "idempotency_keys.at": _PAST,
}
"""How far ahead the values of each column may be; None means unlimited."""
_SMALL: Final = frozenset({"sources", "source_health", "rates", "connection_leases", "oauth_tokens", "workers"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """How many values of a column are too far ahead, and the furthest."""

    column: str
    count: int
    farthest: datetime


def columns() -> Iterator[tuple[str, Column[datetime]]]:
    """Yield every time column as `table.column`."""
    for table in schema.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, schema.Moment):
                yield f"{table.name}.{column.name}", column


def is_quick(column: Column[datetime]) -> bool:
    """Return whether the latest values of a time column are found without reading its table.

    There is an index that begins with it, or its table has about as many rows as the configuration has entries.
    """
    partial = (None, f"{column.name} IS NOT NULL")
    first = (index for index in column.table.indexes if next(iter(index.columns)) is column)
    wheres = (index.dialect_options["sqlite"]["where"] for index in first)
    return column.table.name in _SMALL or any((None if where is None else str(where)) in partial for where in wheres)


def ahead(connection: Connection, now: datetime, *, thorough: bool = True) -> tuple[Ahead, ...]:
    """Return the columns with values too far ahead of `now`; unless `thorough`, only of columns that are `is_quick`."""
    found = []
    for name, column in columns():
        limit = LIMITS[name]
        if limit is None or not (thorough or is_quick(column)):
            continue
        count, farthest = connection.execute(select(func.count(), func.max(column)).where(column > now + limit)).one()
        if count:
            found.append(Ahead(column=name, count=count, farthest=farthest))
    return tuple(found)


def due_beyond(connection: Connection, now: datetime, give_up: timedelta) -> Ahead | None:
    """Return the deliveries that are due after their last possible attempt; None if there are none."""
    due_at = schema.deliveries.c.due_at
    count, farthest = connection.execute(select(func.count(), func.max(due_at)).where(due_at > now + give_up)).one()
    return Ahead(column="deliveries.due_at", count=count, farthest=farthest) if count else None
