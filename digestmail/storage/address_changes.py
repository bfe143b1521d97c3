"""Addresses subscribers want to change to and have not confirmed yet; one a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from digestmail.storage.schema import address_changes
from digestmail.storage.upsert import insert


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """The address somebody wants; `nonce` stands in the link that was sent there."""

    subscriber_id: int
    nonce: str
    address: str
    asked_at: datetime


def put(connection: Connection, wanted: AddressChange) -> None:
    """Keep the address a person wants, in place of an earlier one."""
    values = {"nonce": wanted.nonce, "address": wanted.address, "asked_at": wanted.asked_at}
    statement = insert(connection, address_changes).values(subscriber_id=wanted.subscriber_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["subscriber_id"], set_=values))


def find(connection: Connection, subscriber_id: int) -> AddressChange | None:
    """Return the address a person wants and has not confirmed; None if there is none."""
    row = connection.execute(select(address_changes).where(address_changes.c.subscriber_id == subscriber_id)).first()
    if row is None:
        return None
    return AddressChange(subscriber_id=row.subscriber_id, nonce=row.nonce, address=row.address, asked_at=row.asked_at)


def take(connection: Connection, subscriber_id: int, nonce: str | None = None) -> bool:
    """Use up the wish with this nonce, or any; False if there is none (any more): of two clicks one gets it."""
    a = address_changes.c
    statement = delete(address_changes).where(a.subscriber_id == subscriber_id)
    if nonce is not None:
        statement = statement.where(a.nonce == nonce)
    return connection.execute(statement).rowcount == 1


def expire(connection: Connection, before: datetime) -> int:
    """Forget what was asked for before `before`; return how many that were."""
    return connection.execute(delete(address_changes).where(address_changes.c.asked_at < before)).rowcount
