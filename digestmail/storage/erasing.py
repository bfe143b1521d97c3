"""Lists and erases the data about a person, so that delivery counts remain consistent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from digestmail.model.deliveries import DeliveryState
from digestmail.model.subscribers import SubscriberState
from digestmail.storage import personal_data
from digestmail.storage.schema import (
    address_changes,
    attempts,
    bounces,
    changes,
    confirmations,
    deliveries,
    editions,
    feedback,
    notices,
    opt_outs,
    pick_reasons,
    profiles,
    reading_lists,
    subscribers,
    subscriptions,
    unsubscribe_mails,
)

_DOMAIN = "@erased.invalid"
"""RFC 2606: this domain will never exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailed:
    """An email to a person: of an edition (`digest` and `slot`), or a notice of this `kind`."""

    kind: str
    digest: str | None
    slot: str | None
    state: str
    queued_at: datetime
    ended_at: datetime | None
    reply: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounced:
    """A bounce or complaint about an address."""

    kind: str
    status: str | None
    detail: str
    at: datetime


def mails_of(connection: Connection, subscriber_id: int) -> tuple[Mailed, ...]:
    """Return all emails to a person, oldest first."""
    d, n = deliveries.c, notices.c
    of_editions = connection.execute(
        select(editions.c.digest, editions.c.slot, d.state, d.queued_at, d.ended_at, d.text)
        .join(editions, editions.c.id == d.edition_id)
        .where(d.subscriber_id == subscriber_id)
    )
    found = [
        Mailed(
            kind="edition",
            digest=row.digest,
            slot=row.slot,
            state=row.state,
            queued_at=row.queued_at,
            ended_at=row.ended_at,
            reply=row.text,
        )
        for row in of_editions
    ]
    found += [
        Mailed(
            kind=row.kind,
            digest=None,
            slot=None,
            state=row.state,
            queued_at=row.queued_at,
            ended_at=row.ended_at,
            reply=row.text,
        )
        for row in connection.execute(select(notices).where(n.subscriber_id == subscriber_id))
    ]
    return tuple(sorted(found, key=lambda mail: mail.queued_at))


def bounces_of(connection: Connection, subscriber_id: int) -> tuple[Bounced, ...]:
    """Return the bounces of a person's address, oldest first."""
    rows = connection.execute(select(bounces).where(bounces.c.subscriber_id == subscriber_id).order_by(bounces.c.at))
    return tuple(Bounced(kind=row.kind, status=row.status, detail=row.detail, at=row.at) for row in rows)


def is_erased(address: str) -> bool:
    """Return whether `address` is the placeholder of an erased address."""
    return address.endswith(_DOMAIN)


def erase(connection: Connection, subscriber_id: int, now: datetime) -> int:
    """Erase all personal data; return how many deliveries remain, with an anonymous row.

    `personal_data.TEXT_COLUMNS` lists what is erased. Server replies are among it, because many contain the address. A
    reply that comes later is not recorded, because the deliveries get a new fence; a message on its way counts as
    cancelled.
    """
    _erase_rows(connection, subscriber_id, now)
    mine = deliveries.c.subscriber_id == subscriber_id
    kept = connection.execute(select(func.count()).select_from(deliveries).where(mine)).scalar_one()
    if not kept:
        connection.execute(delete(subscribers).where(subscribers.c.id == subscriber_id))
        return 0
    nameless = f"{subscriber_id}{_DOMAIN}"
    connection.execute(
        update(subscribers)
        .where(subscribers.c.id == subscriber_id)
        .values(
            address=nameless,
            key=nameless,
            state=SubscriberState.UNSUBSCRIBED,
            language=None,
            timezone=None,
            paused_from=None,
            paused_until=None,
            consent_source=None,
            consent_at=None,
            address_changed_at=None,
            updated_at=now,
        )
    )
    return int(kept)


def _erase_rows(connection: Connection, subscriber_id: int, now: datetime) -> None:
    """Delete the rows of a person except deliveries, which end, and forget mentions elsewhere."""
    # First, in the order of a worker: a result that is being recorded is waited for, and erased with the others.
    _end_deliveries(connection, subscriber_id, now)
    # Bounces are counted under a lock of this row. The ones that come later see that the person is erased.
    connection.execute(select(subscribers.c.id).where(subscribers.c.id == subscriber_id).with_for_update())
    # An edition that was being published held this row too, so its deliveries are only seen now.
    _end_deliveries(connection, subscriber_id, now)
    personal_data.forget_mentions(connection, personal_data.addresses_of(connection, subscriber_id))
    connection.execute(delete(attempts).where(attempts.c.subscriber_id == subscriber_id))
    requested = (confirmations, address_changes, changes)
    interests = (feedback, pick_reasons, profiles, reading_lists)
    for table in (*requested, *interests, subscriptions, opt_outs, unsubscribe_mails, notices, bounces):
        connection.execute(delete(table).where(table.c.subscriber_id == subscriber_id))


def _end_deliveries(connection: Connection, subscriber_id: int, now: datetime) -> None:
    mine = deliveries.c.subscriber_id == subscriber_id
    connection.execute(update(deliveries).where(mine).values(fence=deliveries.c.fence + 1, text=None, picks=None))
    connection.execute(
        update(deliveries)
        .where(mine, deliveries.c.due_at.is_not(None))
        .values(state=DeliveryState.CANCELLED, due_at=None, ended_at=now)
    )
