"""Deliveries as the operator handles them: list, resolve, retry, resume. One transaction for each verb."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from digestmail.bounces import counting
from digestmail.model.deliveries import NOTICE, DeliveryState, Unfinished
from digestmail.model.subscribers import DomainBlock
from digestmail.storage import delivery_admin, future_moments, notice_admin, rates
from digestmail.storage.database import Database
from digestmail.storage.delivery_admin import StoredAttempt, StoredDelivery
from digestmail.storage.future_moments import Ahead
from digestmail.storage.rates import Pause


def list_deliveries(
    database: Database, *, state: DeliveryState | None = None, digest: str | None = None, slot: str | None = None
) -> Iterator[StoredDelivery]:
    """Yield notices and deliveries, optionally only those in one state, of one digest or of one slot.

    Notices have the digest `NOTICE`, and their kind as slot.
    """
    with database.connect() as connection:
        if digest in {None, NOTICE}:
            yield from notice_admin.list_notices(connection, NOTICE, state=state, kind=slot)
        yield from delivery_admin.list_deliveries(connection, state=state, digest=digest, slot=slot)


def attempts(database: Database, digest: str, slot: str, subscriber_id: int) -> tuple[StoredAttempt, ...]:
    """Return every attempt at one delivery, the first one first. Raises StorageError."""
    with database.connect() as connection:
        if digest == NOTICE:
            return notice_admin.attempts_of(connection, slot, subscriber_id)
        return delivery_admin.attempts_of(connection, digest, slot, subscriber_id)


def resolve(
    database: Database, digest: str, slot: str, subscriber_id: int | None, state: DeliveryState, now: datetime
) -> int:
    """Settle the ambiguous deliveries of an edition as `state`; return how many there were."""
    with database.begin() as connection:
        if digest == NOTICE:
            return notice_admin.resolve(connection, slot, subscriber_id, state, now)
        return delivery_admin.resolve(connection, digest, slot, subscriber_id, state, now)


def count(database: Database, meant: Unfinished) -> int:
    """Return how many deliveries `retry` would put back into the outbox."""
    with database.connect() as connection:
        notices = notice_admin.count(connection, meant) if meant.digest in {None, NOTICE} else 0
        return notices + delivery_admin.count(connection, meant)


def retry(database: Database, meant: Unfinished, now: datetime) -> int:
    """Put ambiguous and failed deliveries back into the outbox; return how many."""
    with database.begin() as connection:
        notices = notice_admin.retry(connection, meant, now) if meant.digest in {None, NOTICE} else 0
        return notices + delivery_admin.retry(connection, meant, now)


def resume(database: Database, now: datetime) -> tuple[int, int]:
    """Try again at once what waits for a mail server; return how many servers, and how many emails are due."""
    with database.begin() as connection:
        return rates.resume(connection), delivery_admin.make_due(connection, now)


def pauses(database: Database, now: datetime) -> tuple[Pause, ...]:
    """Return the mail servers that are left alone for a while."""
    with database.connect() as connection:
        return rates.pauses(connection, now)


def blocks(database: Database, now: datetime) -> tuple[DomainBlock, ...]:
    """Return the domains that refuse us."""
    with database.connect() as connection:
        return counting.list_blocks(connection, now)


def due_too_late(database: Database, horizon: datetime, give_up: timedelta) -> Ahead | None:
    """Return the deliveries that are due later than any may be; None if there are none."""
    with database.connect() as connection:
        return future_moments.due_beyond(connection, horizon, give_up)


def future_dates(database: Database, horizon: datetime) -> tuple[Ahead, ...]:
    """Return every column that holds a later moment than it may, as seen from `horizon`."""
    with database.connect() as connection:
        return tuple(future_moments.ahead(connection, horizon))
