"""Sign-ups and address changes that a page accepted and that are not processed yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, literal, or_, select

from digestmail.model.subscribers import Preferences
from digestmail.storage.confirmations import choices_from_json, choices_to_json
from digestmail.storage.schema import address_requests


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRequest:
    """What a person asked for. `choices` is None for an address change, `subscriber_id` for a sign-up."""

    address: str
    asked_at: datetime
    choices: Preferences | None = None
    subscriber_id: int | None = None


def add(connection: Connection, request: AddressRequest, key: str) -> None:
    """Store a request for the address with this key. The statement is the same for every address."""
    connection.execute(
        insert(address_requests).values(
            subscriber_id=request.subscriber_id,
            address=request.address,
            key=key,
            choices={} if request.choices is None else choices_to_json(request.choices),
            asked_at=request.asked_at,
        )
    )


def is_waiting(connection: Connection) -> bool:
    """Return whether there is any request."""
    return connection.execute(select(literal(1)).select_from(address_requests).limit(1)).first() is not None


def waiting(connection: Connection) -> list[int]:
    """Return the numbers of all requests, oldest first."""
    return list(connection.execute(select(address_requests.c.id).order_by(address_requests.c.id)).scalars())


def take(connection: Connection, number: int) -> AddressRequest | None:
    """Delete and return a request; None if another process was faster. It is back if the transaction fails."""
    r = address_requests.c
    statement = delete(address_requests).where(r.id == number)
    row = connection.execute(statement.returning(r.subscriber_id, r.address, r.choices, r.asked_at)).first()
    if row is None:
        return None
    return AddressRequest(
        address=row.address,
        asked_at=row.asked_at,
        choices=choices_from_json(row.choices) if row.subscriber_id is None else None,
        subscriber_id=row.subscriber_id,
    )


def forget(connection: Connection, subscriber_id: int, key: str) -> None:
    """Delete the requests of a subscriber, and those for the address with this key."""
    r = address_requests.c
    connection.execute(delete(address_requests).where(or_(r.subscriber_id == subscriber_id, r.key == key)))


def expire(connection: Connection, before: datetime) -> int:
    """Delete requests from before `before`; return how many."""
    return connection.execute(delete(address_requests).where(address_requests.c.asked_at < before)).rowcount
