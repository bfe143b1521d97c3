"""What people asked for on the pages, and the notices that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from digestmail.model.digests import Digest
from digestmail.storage import address_requests, due_times
from digestmail.storage.database import Database
from digestmail.subscribers.address_requests import process
from digestmail.subscribers.signup import forget_unconfirmed
from digestmail.text.credentials import new_secret


def are_waiting(database: Database, now: datetime) -> bool:
    """Return whether a notice is due, or a request is not processed yet. This reads two index entries."""
    with database.connect() as connection:
        return due_times.has_notices(connection, now) or address_requests.is_waiting(connection)


def process_all(database: Database, digests: Sequence[Digest], now: datetime) -> None:
    """Process what people asked for, and forget what they did not confirm. Raises StorageError."""
    # In this order, because a clock that was behind dates a request so early that it would be forgotten.
    process(database, digests, now, random_token=new_secret)
    forget_unconfirmed(database, now)
