"""What the program notes for itself: its secrets, and how far its deliveries have come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from digestmail.schedule.moments import is_ahead
from digestmail.storage.schema import settings
from digestmail.storage.upsert import insert

_SECRETS = "signing-secret"
"""The name of the row; it holds the newest secret first, one a line."""
_ERASURE_KEY = "erasure-key"


def secret(connection: Connection, random_token: Callable[[], str]) -> str:
    """Return this installation's newest signing secret, made by `random_token` the first time."""
    return secrets(connection, random_token)[0]


def secrets(connection: Connection, random_token: Callable[[], str]) -> tuple[str, ...]:
    """Return this installation's signing secrets, the newest first: it signs, all of them verify."""
    return _ring(_made_once(connection, _SECRETS, random_token))


def find_secrets(connection: Connection) -> tuple[str, ...]:
    """Return them; none when they were not made yet."""
    found = connection.execute(select(settings.c.value).where(settings.c.name == _SECRETS)).scalar()
    return _ring(str(found or ""))


def _ring(stored: str) -> tuple[str, ...]:
    """Return the secrets that are stored; an empty line is none."""
    return tuple(filter(str.strip, stored.splitlines()))


def rotate(connection: Connection, random_token: Callable[[], str], *, forget: bool = False) -> int:
    """Sign with a new secret from now on; return how many there are. With `forget` links made before stop working."""
    kept = [] if forget else list(secrets(connection, random_token))
    ring = [random_token(), *kept]
    secrets(connection, random_token)
    connection.execute(update(settings).where(settings.c.name == _SECRETS).values(value="\n".join(ring)))
    return len(ring)


def erasure_key(connection: Connection, random_token: Callable[[], str]) -> str:
    """Return the key that addresses of the erased are hashed with, made the first time; it never changes."""
    return _made_once(connection, _ERASURE_KEY, random_token)


def find_erasure_key(connection: Connection) -> str | None:
    """Return that key; None when nobody was erased yet."""
    found: str | None = connection.execute(select(settings.c.value).where(settings.c.name == _ERASURE_KEY)).scalar()
    return found or None


def _made_once(connection: Connection, name: str, random_token: Callable[[], str]) -> str:
    """Return the secret that is stored, or one made now; an empty row is none, for anybody could sign with it."""
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
    """Count one claim more, or go up to `to`; return the new epoch."""
    raised = to if to is not None else epoch(connection) + 1
    _put(connection, _EPOCH, str(raised))
    return raised


def restored_at(connection: Connection) -> datetime | None:
    """Return when the operator last took over a database restored from a backup."""
    found = connection.execute(select(settings.c.value).where(settings.c.name == _RESTORED)).scalar()
    return datetime.fromisoformat(found) if found else None


def settle_restored_at(connection: Connection, horizon: datetime) -> None:
    """Where a clock that was ahead noted the time of a take-over, let it be `horizon`, the latest it can be.

    Else nothing would be published until then.
    """
    noted = restored_at(connection)
    if noted is not None and is_ahead(noted, horizon):
        mark_restored(connection, horizon)


def mark_restored(connection: Connection, now: datetime) -> None:
    """Note that a restored database was taken over: slots that began before are not published any more."""
    _put(connection, _RESTORED, now.isoformat())


def _put(connection: Connection, name: str, value: str) -> None:
    row = insert(connection, settings).values(name=name, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
