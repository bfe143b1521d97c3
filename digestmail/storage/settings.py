"""Settings the program makes for itself: the signing secret."""

from __future__ import annotations

from collections.abc import Callable

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
