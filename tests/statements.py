"""SQL statements, compiled once for all tests.

SQLAlchemy compiles a statement once for each engine. A program has one; the tests have thousands, and compiling took a
fifth of their time.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from functools import partial
from typing import Any

import sqlalchemy
from sqlalchemy import Dialect, Engine
from sqlalchemy.sql.compiler import Compiled
from sqlalchemy.util import LRUCache

Key = tuple[Any, ...]
_compiled: MutableMapping[Key, Compiled] = LRUCache(3000)


class SharedStatements(MutableMapping[Key, Compiled]):
    """SQLAlchemy's cache of an engine, with the name of the dialect in place of the engine's own."""

    def __getitem__(self, key: Key) -> Compiled:
        return _compiled[_shared(key)]

    def __setitem__(self, key: Key, value: Compiled) -> None:
        _compiled[_shared(key)] = value

    def __delitem__(self, key: Key) -> None:
        del _compiled[_shared(key)]

    def __iter__(self) -> Iterator[Key]:
        return iter(_compiled)

    def __len__(self) -> int:
        return len(_compiled)


def _shared(key: Key) -> Key:
    dialect: Dialect = key[0]
    return dialect.name, *key[1:]


create_engine: partial[Engine] = partial(
    sqlalchemy.create_engine, execution_options={"compiled_cache": SharedStatements()}
)
"""Create an engine that shares its compiled statements."""
