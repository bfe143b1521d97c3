"""Idempotency keys: API writes that were done, so that a repeated request gets the stored response."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select, update

from digestmail.storage.schema import idempotency_keys
from digestmail.storage.upsert import chunks, insert

KEPT_FOR: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """The hash of a request, and the status and body of its response."""

    request: str
    status: int
    response: str


def claim(connection: Connection, key: str, request: str, now: datetime) -> StoredResponse | None:
    """Claim `key` for `request` and return None, or return the stored response if `key` is already in use.

    The caller that claims the key does the work and calls `store` in the same transaction. A concurrent request with
    the same key waits here until that transaction ends: SQLite has one writer at a time, and PostgreSQL lets an insert
    wait for a conflicting one. A key expires after seven days.
    """
    k = idempotency_keys.c
    connection.execute(delete(idempotency_keys).where(k.at <= now - KEPT_FOR))
    row = insert(connection, idempotency_keys).values(key=key, request=request, status=0, response="", at=now)
    claimed = connection.execute(row.on_conflict_do_nothing(index_elements=["key"]).returning(k.key)).first()
    if claimed is not None:
        return None
    known = connection.execute(select(idempotency_keys).where(k.key == key)).one()
    return StoredResponse(request=known.request, status=known.status, response=known.response)


def store(connection: Connection, key: str, status: int, response: str) -> None:
    """Store the response under a key that was claimed in this transaction."""
    statement = update(idempotency_keys).where(idempotency_keys.c.key == key)
    connection.execute(statement.values(status=status, response=response))


def forget(connection: Connection, addresses: Iterable[str]) -> None:
    """Delete the responses that mention one of `addresses`, with their keys.

    A repeated request is then a new request, which the suppression of an erased address refuses.
    """
    wanted = tuple(addresses)
    k = idempotency_keys.c
    rows = connection.execute(select(k.key, k.response)).all()
    found = [row.key for row in rows if mentions(row.key, wanted) or mentions(row.response, wanted)]
    for some in chunks(found):
        connection.execute(delete(idempotency_keys).where(k.key.in_(some)))


def mentions(text: str, addresses: Iterable[str]) -> bool:
    """Return whether `text` contains one of `addresses` in any case, as it is or as in JSON."""
    folded = text.casefold()
    return any(form in folded for address in addresses for form in _forms(address.casefold()))


def _forms(address: str) -> tuple[str, ...]:
    return address, json.dumps(address)[1:-1], json.dumps(address, ensure_ascii=False)[1:-1]
