"""Problems that the operator was told about, or will be if they last."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select

from digestmail.model.incidents import Incident
from digestmail.storage.schema import incidents


def list_all(connection: Connection) -> tuple[Incident, ...]:
    """Return what is known, the oldest first."""
    rows = connection.execute(select(incidents).order_by(incidents.c.began_at, incidents.c.key))
    return tuple(Incident(**row._mapping) for row in rows)  # noqa: SLF001 - the documented way to a row's names


def replace_all(connection: Connection, known: Iterable[Incident]) -> None:
    """Store what is known instead of what was stored before."""
    connection.execute(delete(incidents))
    rows = [
        {
            "key": one.key,
            "text": one.text,
            "began_at": one.began_at,
            "announced_at": one.announced_at,
            "ended_at": one.ended_at,
        }
        for one in known
    ]
    if rows:
        connection.execute(insert(incidents), rows)
