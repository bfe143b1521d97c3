"""INSERT with ON CONFLICT, which both databases know but SQLAlchemy builds per dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert
T = TypeVar("T")

_CHUNK = 500
"""Values of one IN list: well under SQLite's limit of bound variables."""


def insert(connection: Connection, table: Table) -> Insert:
    """Return an INSERT into `table` that knows ON CONFLICT."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def chunks(values: Sequence[T], size: int = _CHUNK) -> Iterator[Sequence[T]]:
    """Yield `values` in pieces that fit into one IN list."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
