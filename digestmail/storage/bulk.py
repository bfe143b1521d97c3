"""Updates many rows with different values in one statement.

Both databases need longer to start a statement than to change a row, and Python's SQLite module switches threads
between statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from digestmail.storage.upsert import chunks

_ROWS = 256
_STEP = 32
"""SQLite gets statements for 32, 64, ... rows, which stay prepared. The last row is repeated to fill them."""


def update_many(
    connection: Connection, statement: str, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Run `statement`, an UPDATE whose `{rows}` is the table `t` of `rows`; return how many rows it changed.

    `columns` are the columns of `t` with their PostgreSQL types. Values are in the driver's format.
    """
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        arrays = map(list, zip(*rows, strict=True))
        return connection.exec_driver_sql(_with_arrays(statement, tuple(columns.items())), tuple(arrays)).rowcount
    return sum(
        connection.exec_driver_sql(
            _with_values(statement, tuple(columns), len(full)), tuple(chain.from_iterable(full))
        ).rowcount
        for full in map(_padded, chunks(rows, _ROWS))
    )


def _padded(rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
    lacking = -len(rows) % _STEP
    return [*rows, *[rows[-1]] * lacking] if lacking else rows


@lru_cache(maxsize=16)
def _with_arrays(statement: str, columns: tuple[tuple[str, str], ...]) -> str:
    names, places = ", ".join(name for name, _ in columns), ", ".join(f"%s::{kind}[]" for _, kind in columns)
    return statement.format(rows=f"unnest({places}) AS t({names})")


@lru_cache(maxsize=64)
def _with_values(statement: str, columns: tuple[str, ...], count: int) -> str:
    names = ", ".join(f"column{number} AS {name}" for number, name in enumerate(columns, 1))
    row = f"({', '.join('?' * len(columns))})"
    return statement.format(rows=f"(SELECT {names} FROM (VALUES {', '.join([row] * count)})) AS t")  # noqa: S608 - not from users
