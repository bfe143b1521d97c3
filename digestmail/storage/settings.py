"""Settings that the program stores itself: its secrets, and the state of deliveries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from digestmail.schedule.moments import is_ahead
from digestmail.storage.schema import settings
from digestmail.storage.upsert import insert

_SECRETS = "signing-secret"
"""The name of the row, which contains the newest secret first, one on each line."""
_ERASURE_KEY = "erasure-key"


def secret(connection: Connection, random_token: Callable[[], str]) -> str:
    """Return the newest signing secret, created by `random_token` the first time."""
    return secrets(connection, random_token)[0]


def secrets(connection: Connection, random_token: Callable[[], str]) -> tuple[str, ...]:
    """Return all signing secrets, newest first. The newest signs, all of them verify."""
    return _ring(_made_once(connection, _SECRETS, random_token))


def find_secrets(connection: Connection) -> tuple[str, ...]:
    """Return the signing secrets; none if they were not created yet."""
    found = connection.execute(select(settings.c.value).where(settings.c.name == _SECRETS)).scalar()
    return _ring(str(found or ""))


def _ring(stored: str) -> tuple[str, ...]:
    """Return the stored secrets without empty lines."""
    return tuple(filter(str.strip, stored.splitlines()))


def rotate(connection: Connection, random_token: Callable[[], str], *, forget: bool = False) -> int:
    """Add a new secret for signing; return how many there are. With `forget`, earlier links stop working."""
    kept = [] if forget else list(secrets(connection, random_token))
    ring = [random_token(), *kept]
    secrets(connection, random_token)
    connection.execute(update(settings).where(settings.c.name == _SECRETS).values(value="\n".join(ring)))
    return len(ring)


def erasure_key(connection: Connection, random_token: Callable[[], str]) -> str:
    """Return the key for hashes of erased addresses, created the first time. It never changes."""
    return _made_once(connection, _ERASURE_KEY, random_token)


def find_erasure_key(connection: Connection) -> str | None:
    """Return the key for hashes of erased addresses; None if no one was erased yet."""
    found: str | None = connection.execute(select(settings.c.value).where(settings.c.name == _ERASURE_KEY)).scalar()
    return found or None


def _made_once(connection: Connection, name: str, random_token: Callable[[], str]) -> str:
    """Return the stored secret, or create it. An empty one is replaced, because anyone could sign with it."""
    wanted = select(settings.c.value).where(settings.c.name == name)
    found = connection.execute(wanted).scalar()
    if found is None or not found.strip():
        value = random_token()
        row = insert(connection, settings).values(name=name, value=value)
        blank = func.trim(settings.c.value, " \n") == ""
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}, where=blank))
        found = connection.execute(wanted).scalar_one()
    return str(found)


# -- the epoch -------------------------------------------------------------------------------------------------------

_EPOCH = "epoch"
_RESTORED = "restored-at"


def epoch(connection: Connection) -> int:
    """Return how many times deliveries were claimed from this database; 0 if never."""
    found = connection.execute(select(settings.c.value).where(settings.c.name == _EPOCH)).scalar()
    return int(found or 0)


def bump_epoch(connection: Connection, to: int | None = None) -> int:
    """Increase the epoch by one, or to `to`; return it."""
    raised = to if to is not None else epoch(connection) + 1
    _put(connection, _EPOCH, str(raised))
    return raised


def restored_at(connection: Connection) -> datetime | None:
    """Return when the operator last accepted a restored database."""
    found = connection.execute(select(settings.c.value).where(settings.c.name == _RESTORED)).scalar()
    return datetime.fromisoformat(found) if found else None


def limit_restored_at(connection: Connection, horizon: datetime) -> None:
    """Replace the time of an accepted restore with `horizon`, the latest possible time, if it is later.

    Otherwise nothing would be published until then.
    """
    noted = restored_at(connection)
    if noted is not None and is_ahead(noted, horizon):
        mark_restored(connection, horizon)


def mark_restored(connection: Connection, now: datetime) -> None:
    """Store that a restored database was accepted. Slots that began before are not published any more."""
    _put(connection, _RESTORED, now.isoformat())


def _put(connection: Connection, name: str, value: str) -> None:
    row = insert(connection, settings).values(name=name, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
