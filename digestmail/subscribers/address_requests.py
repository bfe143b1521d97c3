"""Requests for an address: stored while the person waits, and processed afterwards, until it works.

Storing one is the same statement for every address, so neither the response nor its duration depends on who is
subscribed or suppressed. If it cannot be stored, the person sees an error instead of a promise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from digestmail.errors import StorageError, SubscriptionError
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Preferences
from digestmail.storage import address_requests
from digestmail.storage.address_requests import AddressRequest
from digestmail.storage.database import Database
from digestmail.subscribers.address_change import request_change_within
from digestmail.subscribers.signup import SignupReply, request_signup_within
from digestmail.text.addresses import key_of

log = logging.getLogger("digestmail.subscribers")


def store_signup(database: Database, address: str, choices: Preferences, now: datetime) -> None:
    """Store a sign-up for the normalized `address`. Raises StorageError if that fails."""
    with database.begin() as connection:
        address_requests.add(
            connection, AddressRequest(address=address, choices=choices, asked_at=now), key_of(address)
        )


def store_change(database: Database, subscriber_id: int, address: str, now: datetime) -> None:
    """Store the normalized `address` that a subscriber wants. Raises StorageError if that fails."""
    with database.begin() as connection:
        address_requests.add(
            connection, AddressRequest(address=address, subscriber_id=subscriber_id, asked_at=now), key_of(address)
        )


def process(database: Database, digests: Sequence[Digest], now: datetime, *, random_token: Callable[[], str]) -> int:
    """Process every stored request, each in its own transaction; return how many.

    A request for something that the configuration no longer offers is dropped, and logged without the address. Raises
    StorageError; what was not processed stays stored.
    """
    with database.connect() as connection:
        numbers = address_requests.waiting(connection)
    return sum(_process(database, digests, number, now, random_token) for number in numbers)


def _process(
    database: Database, digests: Sequence[Digest], number: int, now: datetime, random_token: Callable[[], str]
) -> bool:
    """Process one request. Return False if another process was faster, or if it failed and stays stored."""
    try:
        with database.begin() as connection:
            request = address_requests.take(connection, number)
            if request is None:
                return False
            reply = _reply(connection, digests, request, now, random_token)
    except StorageError:
        raise
    except Exception:  # around one request, so that a bug does not stop the others
        log.exception("request=%d could not be processed", number)
        return False
    log.info("%s reply=%s", "subscribe" if request.subscriber_id is None else "address change", reply)
    return True


def _reply(
    connection: Connection,
    digests: Sequence[Digest],
    request: AddressRequest,
    now: datetime,
    random_token: Callable[[], str],
) -> SignupReply:
    if request.subscriber_id is not None:
        return request_change_within(connection, request.subscriber_id, request.address, now, random_token=random_token)
    choices = request.choices or Preferences()
    try:
        return request_signup_within(connection, digests, request.address, choices, now, random_token=random_token)
    except SubscriptionError as error:
        log.warning("a sign-up was dropped, because the configuration has changed since: %s", error)
        return SignupReply.NOTHING
