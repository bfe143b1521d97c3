"""What a program wrote under a key of its own, so that asking again is answered and not done again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select, update

from digestmail.storage.schema import idempotency_keys
from digestmail.storage.upsert import insert

KEPT_FOR: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What was asked (a hash of the request), and the answer: status and body."""

    request: str
    status: int
    answer: str


def claim(connection: Connection, key: str, request: str, now: datetime) -> Remembered | None:
    """Take `key` for `request` and return None; return what was answered if it was used in the last seven days.

    Who takes it does the work, and calls `remember`, in this same transaction. Another one with the key waits here
    until that is over: on SQLite writers come one by one, on PostgreSQL an insert waits for the one it conflicts with.
    """
    k = idempotency_keys.c
    connection.execute(delete(idempotency_keys).where(k.at <= now - KEPT_FOR))
    row = insert(connection, idempotency_keys).values(key=key, request=request, status=0, answer="", at=now)
    taken = connection.execute(row.on_conflict_do_nothing(index_elements=["key"]).returning(k.key)).first()
    if taken is not None:
        return None
    known = connection.execute(select(idempotency_keys).where(k.key == key)).one()
    return Remembered(request=known.request, status=known.status, answer=known.answer)


def remember(connection: Connection, key: str, status: int, answer: str) -> None:
    """Keep the answer under a key that was taken in this transaction."""
    statement = update(idempotency_keys).where(idempotency_keys.c.key == key)
    connection.execute(statement.values(status=status, answer=answer))
