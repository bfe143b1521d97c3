"""Idempotent writes: a repeated request with the same key gets the first response again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from digestmail.errors import SubscriptionError
from digestmail.storage import idempotency
from digestmail.storage.database import Database

Transaction = Connection
"""The transaction that a write belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """The response to a write, and whether it was stored by an earlier request."""

    response: str
    replayed: bool = False


def once(
    database: Database, key: str | None, request: str, now: datetime, write: Callable[[Transaction], str]
) -> WriteResult:
    """Call `write` and return its response, or return the stored response if `key` was used before.

    The write and its key are committed in one transaction. `request` identifies the request. Raises SubscriptionError
    if the key belongs to a different request.
    """
    with database.begin() as connection:
        known = idempotency.claim(connection, key, request, now) if key else None
        if known is None:
            response = write(connection)
            if key:
                idempotency.store(connection, key, 200, response)
            return WriteResult(response=response)
    if known.request != request:
        raise SubscriptionError("this Idempotency-Key was already used with a different request")
    return WriteResult(response=known.response, replayed=True)
