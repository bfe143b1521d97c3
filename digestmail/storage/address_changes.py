"""Address changes that are not confirmed yet, at most one for each subscriber."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from digestmail.storage.schema import address_changes
from digestmail.storage.upsert import insert


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """A requested address. `nonce` is in the link that was sent to it."""

    subscriber_id: int
    nonce: str
    address: str
    asked_at: datetime


def put(connection: Connection, wanted: AddressChange) -> None:
    """Store a requested address. It replaces an earlier one."""
    values = {"nonce": wanted.nonce, "address": wanted.address, "asked_at": wanted.asked_at}
    statement = insert(connection, address_changes).values(subscriber_id=wanted.subscriber_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["subscriber_id"], set_=values))


def find(connection: Connection, subscriber_id: int) -> AddressChange | None:
    """Return the requested address of a subscriber; None if there is none."""
    row = connection.execute(select(address_changes).where(address_changes.c.subscriber_id == subscriber_id)).first()
    if row is None:
        return None
    return AddressChange(subscriber_id=row.subscriber_id, nonce=row.nonce, address=row.address, asked_at=row.asked_at)


def take(connection: Connection, subscriber_id: int, nonce: str | None = None) -> bool:
    """Delete the request with this nonce, or any; False if there is none. Of two clicks, only one succeeds."""
    a = address_changes.c
    statement = delete(address_changes).where(a.subscriber_id == subscriber_id)
    if nonce is not None:
        statement = statement.where(a.nonce == nonce)
    return connection.execute(statement).rowcount == 1


def expire(connection: Connection, before: datetime) -> int:
    """Delete requests from before `before`; return how many."""
    return connection.execute(delete(address_changes).where(address_changes.c.asked_at < before)).rowcount
