"""What a program wrote under a key of its own, so that asking again is answered and not done again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select

from digestmail.storage.inserting import insert
from digestmail.storage.schema import idempotency_keys

KEPT_FOR: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What was asked (a hash of the request), and the answer: status and body."""

    request: str
    status: int
    answer: str


def find(connection: Connection, key: str, now: datetime) -> Remembered | None:
    """Return what was answered under `key` in the last seven days; None if nothing was."""
    statement = select(idempotency_keys).where(idempotency_keys.c.key == key, idempotency_keys.c.at > now - KEPT_FOR)
    row = connection.execute(statement).first()
    return None if row is None else Remembered(request=row.request, status=row.status, answer=row.answer)


def remember(connection: Connection, key: str, answered: Remembered, now: datetime) -> None:
    """Keep an answer under `key`; one that is there already stays. What is older than seven days goes."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.at <= now - KEPT_FOR))
    statement = insert(connection, idempotency_keys).values(
        key=key, request=answered.request, status=answered.status, answer=answered.answer, at=now
    )
    connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]))
