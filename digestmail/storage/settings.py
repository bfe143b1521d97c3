"""What the program notes for itself: the signing secret, and how far its deliveries have come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, select

from digestmail.storage.inserting import insert
from digestmail.storage.schema import settings

_SECRET = "signing-secret"  # noqa: S105 - the name of the row, not the secret


def secret(connection: Connection, random_token: Callable[[], str]) -> str:
    """Return this installation's signing secret, made by `random_token` the first time."""
    wanted = select(settings.c.value).where(settings.c.name == _SECRET)
    found = connection.execute(wanted).scalar()
    if found is None:
        row = insert(connection, settings).values(name=_SECRET, value=random_token())
        connection.execute(row.on_conflict_do_nothing())
        found = connection.execute(wanted).scalar_one()
    return str(found)


# -- the epoch -------------------------------------------------------------------------------------------------------

_EPOCH = "epoch"
_RESTORED = "restored-at"


def epoch(connection: Connection) -> int:
    """Return how many times deliveries were claimed from this database; 0 if never."""
    found = connection.execute(select(settings.c.value).where(settings.c.name == _EPOCH)).scalar()
    return int(found or 0)


def raise_epoch(connection: Connection, to: int | None = None) -> int:
    """Count one claim more, or go up to `to`; return the new epoch."""
    raised = to if to is not None else epoch(connection) + 1
    _put(connection, _EPOCH, str(raised))
    return raised


def restored_at(connection: Connection) -> datetime | None:
    """Return when the operator last took over a database restored from a backup."""
    found = connection.execute(select(settings.c.value).where(settings.c.name == _RESTORED)).scalar()
    return datetime.fromisoformat(found) if found else None


def put_restored_at(connection: Connection, now: datetime) -> None:
    """Note that a restored database was taken over: slots that began before are not published any more."""
    _put(connection, _RESTORED, now.isoformat())


def _put(connection: Connection, name: str, value: str) -> None:
    row = insert(connection, settings).values(name=name, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
