"""Do a write once: the same key asked again is answered again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from digestmail.errors import SubscriptionError
from digestmail.storage import idempotency
from digestmail.storage.database import Database

Transaction = Connection
"""The transaction a write is a part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteAnswer:
    """What a write was answered with, and whether that was said before."""

    answer: str
    replayed: bool = False


def once(
    database: Database, key: str | None, request: str, now: datetime, do: Callable[[Transaction], str]
) -> WriteAnswer:
    """Do a write, unless `key` was used before; return what `do` says, or what it said then.

    The work and its key are one transaction: neither is there without the other. `request` identifies what is asked.
    Raises SubscriptionError when the key belongs to another request.
    """
    with database.begin() as connection:
        known = idempotency.claim(connection, key, request, now) if key else None
        if known is None:
            answer = do(connection)
            if key:
                idempotency.remember(connection, key, 200, answer)
            return WriteAnswer(answer=answer)
    if known.request != request:
        raise SubscriptionError("that Idempotency-Key belongs to another request")
    return WriteAnswer(answer=known.answer, replayed=True)
