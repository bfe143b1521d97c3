"""Deliveries as the operator handles them: list, resolve, retry, resume. One transaction for each verb."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from digestmail.bounces import counting
from digestmail.errors import StorageError
from digestmail.model.deliveries import NOTICE, DeliveryState, Unfinished
from digestmail.model.subscribers import DomainBlock
from digestmail.storage import deliveries as stored_deliveries
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
    """Return every attempt at one delivery, the first one first. Raises StorageError if there is no such delivery."""
    with database.connect() as connection:
        if digest == NOTICE:
            found = notice_admin.attempts_of(connection, slot, subscriber_id)
            known = notice_admin.list_notices(connection, NOTICE, kind=slot)
        else:
            found = delivery_admin.attempts_of(connection, digest, slot, subscriber_id)
            known = delivery_admin.list_deliveries(connection, digest=digest, slot=slot, subscriber_id=subscriber_id)
        if not found and not any(one.digest == digest and one.subscriber_id == subscriber_id for one in known):
            raise StorageError(
                f"{digest} {slot} has no delivery to this subscriber: `digestmail deliveries list` lists them"
            )
        return found


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


def count_cancelled(database: Database, meant: Unfinished) -> int:
    """Return how many of the deliveries that are meant were cancelled, which `retry` leaves alone."""
    with database.connect() as connection:
        return delivery_admin.count_cancelled(connection, meant)


def retry(database: Database, meant: Unfinished, now: datetime) -> int:
    """Put ambiguous and failed deliveries back into the outbox; return how many."""
    with database.begin() as connection:
        notices = notice_admin.retry(connection, meant, now) if meant.digest in {None, NOTICE} else 0
        return notices + delivery_admin.retry(connection, meant, now)


def resume(database: Database, now: datetime) -> tuple[int, int]:
    """Try again at once what waits for a mail server; return how many servers, and how many emails are due."""
    with database.begin() as connection:
        return rates.resume(connection), delivery_admin.make_due(connection, now)


def pause(database: Database, names: Sequence[str], until: datetime, now: datetime) -> None:
    """Leave the mail servers with these names alone until a time, at most `LONGEST_PAUSE` ahead.

    Workers that are sending notice it within a minute.
    """
    with database.begin() as connection:
        for name in names:
            rates.pause(connection, f"relay:{name}", until, "paused by the operator", now)


def counts_of_edition(database: Database, edition_id: int) -> dict[DeliveryState, int]:
    """Return how many deliveries of an edition are in each state."""
    with database.connect() as connection:
        return stored_deliveries.counts(connection, edition_id)


def list_of_edition(
    database: Database, digest: str, slot: str, *, state: DeliveryState | None, limit: int
) -> list[StoredDelivery]:
    """Return the first deliveries of an edition, without its variants: those in a state, or all."""
    with database.connect() as connection:
        found = delivery_admin.list_deliveries(connection, digest=digest, slot=slot, state=state)
        return list(islice((one for one in found if one.digest == digest), limit))


def list_of_reader(database: Database, subscriber_id: int, *, limit: int) -> list[StoredDelivery]:
    """Return the last deliveries to a subscriber, the newest edition first."""
    with database.connect() as connection:
        return list(islice(delivery_admin.list_deliveries(connection, subscriber_id=subscriber_id), limit))


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


def future_dates(database: Database, horizon: datetime, *, thorough: bool = True) -> tuple[Ahead, ...]:
    """Return every column that holds a later moment than it may, as seen from `horizon`.

    Unless `thorough`, only columns are looked at for which no table is read.
    """
    with database.connect() as connection:
        return tuple(future_moments.ahead(connection, horizon, thorough=thorough))
