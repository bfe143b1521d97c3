"""INSERT with ON CONFLICT, which both databases support but SQLAlchemy builds for each dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from sqlalchemy import Connection, Table

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    Insert: TypeAlias = postgresql.Insert | sqlite.Insert
T = TypeVar("T")

_CHUNK = 500
"""The size of an IN list, well below SQLite's limit of bound variables."""


def insert(connection: Connection, table: Table) -> Insert:
    """Return an INSERT into `table` that supports ON CONFLICT."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def chunks(values: Sequence[T], size: int = _CHUNK) -> Iterator[Sequence[T]]:
    """Yield `values` in chunks for IN lists."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
