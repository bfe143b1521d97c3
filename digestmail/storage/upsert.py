"""INSERT with ON CONFLICT, which both databases support but SQLAlchemy builds for each dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert
T = TypeVar("T")

_CHUNK = 500
"""The size of an IN list, well below SQLite's limit of bound variables."""


def insert(connection: Connection, table: Table) -> Insert:
    """Return an INSERT into `table` that supports ON CONFLICT."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def chunks(values: Sequence[T], size: int = _CHUNK) -> Iterator[Sequence[T]]:
    """Yield `values` in chunks for IN lists."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
