"""Subscribers and their subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, delete, func, select, true, update

from digestmail.model.digests import Cadence, is_catch_up
from digestmail.model.subscribers import Consent, Preferences, Subscriber, SubscriberState, Subscription
from digestmail.schedule.moments import is_paused
from digestmail.storage import deliveries, idempotency, opt_outs
from digestmail.storage.schema import subscribers, subscriptions
from digestmail.storage.upsert import chunks, insert
from digestmail.text.addresses import key_of

_CHUNK = 5000
_SAME_PAUSE = timedelta(days=1)
_PAUSED = "paused"
"""Why a pause cancels deliveries."""


def add(connection: Connection, address: str, now: datetime) -> int:
    """Make `address` an active subscriber and return its id.

    People who unsubscribed are activated again. Suppressed people are not.
    """
    statement = insert(connection, subscribers).values(
        address=address, key=key_of(address), state=SubscriberState.ACTIVE, created_at=now, updated_at=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["key"],
            set_={"state": SubscriberState.ACTIVE, "updated_at": now},
            where=subscribers.c.state.in_([SubscriberState.PENDING, SubscriberState.UNSUBSCRIBED]),
        )
    )
    found = connection.execute(select(subscribers.c.id).where(subscribers.c.key == key_of(address)))
    return int(found.scalar_one())


def subscribe(connection: Connection, subscriber_id: int, subscription: Subscription, now: datetime) -> None:
    """Subscribe a person to a digest, or change the topics, the hour and the cadence of a subscription."""
    chosen = {"topics": list(subscription.topics), "hour": subscription.hour, "cadence": subscription.cadence}
    statement = insert(connection, subscriptions).values(
        digest=subscription.digest, subscriber_id=subscriber_id, created_at=now, cadence_at=now, **chosen
    )
    s, new = subscriptions.c, statement.excluded
    cadence_at = case((s.cadence.is_distinct_from(new.cadence), new.cadence_at), else_=s.cadence_at)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["digest", "subscriber_id"], set_=chosen | {"cadence_at": cadence_at}
        )
    )


def find(connection: Connection, address: str) -> Subscriber | None:
    """Return the subscriber with this address; None if there is none."""
    return next(_subscribers(connection, select(subscribers).where(subscribers.c.key == key_of(address))), None)


def list_subscribers(
    connection: Connection,
    *,
    digest: str | None = None,
    state: SubscriberState | None = None,
    containing: str = "",
    after: int = 0,
) -> Iterator[Subscriber]:
    """Yield subscribers, oldest first, in chunks: those with ids above `after`, whose address contains a text."""
    statement = select(subscribers)
    if state is not None:
        statement = statement.where(subscribers.c.state == state)
    if digest is not None:
        statement = statement.where(
            subscribers.c.id.in_(select(subscriptions.c.subscriber_id).where(subscriptions.c.digest == digest))
        )
    if containing:
        statement = statement.where(subscribers.c.address.icontains(containing, autoescape=True))
    last = after
    while True:
        page = statement.where(subscribers.c.id > last).order_by(subscribers.c.id).limit(_CHUNK)
        found = list(_subscribers(connection, page))
        yield from found
        if len(found) < _CHUNK:
            return
        last = found[-1].id


def _subscribers(connection: Connection, statement: Select[Any]) -> Iterator[Subscriber]:
    rows = connection.execute(statement).all()
    wants: dict[int, list[Subscription]] = {}
    for row in _subscriptions(connection, rows):
        wants.setdefault(row.subscriber_id, []).append(
            Subscription(
                digest=row.digest,
                topics=tuple(row.topics),
                hour=row.hour,
                cadence=Cadence(row.cadence) if row.cadence else None,
            )
        )
    for row in rows:
        yield Subscriber(
            id=row.id,
            address=row.address,
            state=SubscriberState(row.state),
            created_at=row.created_at,
            subscriptions=tuple(wants.get(row.id, ())),
            language=row.language,
            timezone=row.timezone,
            paused_from=row.paused_from,
            paused_until=row.paused_until,
            consent_source=row.consent_source,
            consent_at=row.consent_at,
        )


def _subscriptions(connection: Connection, rows: list[Row[Any]] | Any) -> list[Row[Any]]:
    if not rows:
        return []
    statement = (
        select(subscriptions)
        .where(subscriptions.c.subscriber_id.between(rows[0].id, rows[-1].id))
        .order_by(subscriptions.c.subscriber_id, subscriptions.c.digest)
    )
    return list(connection.execute(statement))


def get(connection: Connection, subscriber_id: int) -> Subscriber | None:
    """Return the subscriber with this id; None if there is none."""
    return next(_subscribers(connection, select(subscribers).where(subscribers.c.id == subscriber_id)), None)


def count_suppressed(connection: Connection, subscriber_ids: Iterable[int]) -> int:
    """Return how many of these subscribers are suppressed."""
    s = subscribers.c
    return sum(
        connection.execute(
            select(func.count()).where(s.id.in_(some), s.state == SubscriberState.SUPPRESSED)
        ).scalar_one()
        for some in chunks(list(subscriber_ids))
    )


def known_at(connection: Connection, subscriber_ids: Iterable[int], moment: datetime) -> set[int]:
    """Return which of these subscribers were stored by then."""
    s = subscribers.c
    found: set[int] = set()
    for some in chunks(list(subscriber_ids)):
        found.update(connection.execute(select(s.id).where(s.id.in_(some), s.created_at <= moment)).scalars())
    return found


def lock(connection: Connection, subscriber_id: int) -> None:
    """Lock a subscriber until the transaction ends, so that they are not erased in between."""
    connection.execute(select(subscribers.c.id).where(subscribers.c.id == subscriber_id).with_for_update())


def add_pending(connection: Connection, address: str, now: datetime) -> int:
    """Store `address` as pending, if it is new; return its id. Known people are not changed."""
    statement = insert(connection, subscribers).values(
        address=address, key=key_of(address), state=SubscriberState.PENDING, created_at=now, updated_at=now
    )
    connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]))
    found = connection.execute(select(subscribers.c.id).where(subscribers.c.key == key_of(address)))
    return int(found.scalar_one())


def activate(connection: Connection, subscriber_id: int, consent: Consent, now: datetime) -> None:
    """Activate a subscriber in any state. `consent` is where and when they agreed."""
    _set(
        connection,
        subscriber_id,
        now,
        state=SubscriberState.ACTIVE,
        consent_source=consent.source,
        consent_at=consent.at,
        paused_from=None,
        paused_until=None,
    )


def choose(connection: Connection, subscriber_id: int, choices: Preferences, now: datetime) -> None:
    """Replace the preferences of a subscriber."""
    _set(connection, subscriber_id, now, language=choices.language, timezone=choices.timezone)
    chosen = [one.digest for one in choices.subscriptions]
    _end(connection, subscriber_id, subscriptions.c.digest.not_in(chosen), now)
    for one in choices.subscriptions:
        subscribe(connection, subscriber_id, one, now)


def readdress(connection: Connection, subscriber_id: int, address: str, now: datetime) -> None:
    """Change the address of a subscriber. No one else may have it."""
    before = connection.execute(select(subscribers.c.address).where(subscribers.c.id == subscriber_id)).scalar()
    if before is not None:
        idempotency.forget(connection, [before])
    _set(connection, subscriber_id, now, address=address, key=key_of(address), address_changed_at=now)


def restore(connection: Connection, before: Subscriber, now: datetime) -> None:
    """Restore the preferences, pause and state of `before`, but not the address.

    A pause that `before` did not have ends now, so that what was missed is caught up on.
    """
    choices = Preferences(subscriptions=before.subscriptions, language=before.language, timezone=before.timezone)
    choose(connection, before.id, choices, now)
    _set(connection, before.id, now, state=before.state)
    if is_paused(before.paused_until, now):
        _set(connection, before.id, now, paused_from=before.paused_from, paused_until=before.paused_until)
    else:
        pause(connection, before.id, None, now)


def pause(connection: Connection, subscriber_id: int, until: datetime | None, now: datetime) -> None:
    """Pause a subscriber until `until`, and cancel deliveries that are due before; None ends a pause.

    A pause that follows another within a day continues it, because nothing or little was received in between. One that
    cancels editions begins when the first of them was composed, so that they are caught up on.
    """
    s = subscribers.c
    row = connection.execute(select(s.paused_from, s.paused_until).where(s.id == subscriber_id)).first()
    if row is None:
        return
    if until is None:
        if is_paused(row.paused_until, now):
            _set(connection, subscriber_id, now, paused_until=now)
        return
    deliveries.cancel(connection, subscriber_id, _PAUSED, now, due_before=until)
    withdrawn = deliveries.withdrawn(connection, subscriber_id, _PAUSED, now)
    began = min([now, *(one.composed_at for one in withdrawn)])
    soon_after = is_paused(row.paused_until, now - _SAME_PAUSE) or any(is_catch_up(one.digest) for one in withdrawn)
    if row.paused_from is not None and soon_after:
        began = min(began, row.paused_from)
    _set(connection, subscriber_id, now, paused_from=began, paused_until=until)


def leave(connection: Connection, subscriber_id: int, digest: str, now: datetime) -> bool:
    """End a subscription and cancel its queued deliveries; return whether there was one.

    Without any subscription left, the person is unsubscribed.
    """
    s = subscriptions.c
    gone = _end(connection, subscriber_id, s.digest == digest, now)
    deliveries.cancel(connection, subscriber_id, "unsubscribed", now, digest=digest)
    rest = connection.execute(select(s.digest).where(s.subscriber_id == subscriber_id).limit(1)).first()
    if rest is None:
        _unsubscribe(connection, subscriber_id, now)
    return bool(gone)


def _end(connection: Connection, subscriber_id: int, which: ColumnElement[bool], now: datetime) -> list[str]:
    """Delete subscriptions and record the opt-outs; return the names of their digests."""
    s = subscriptions.c
    statement = delete(subscriptions).where(s.subscriber_id == subscriber_id, which).returning(s.digest)
    gone = list(connection.execute(statement).scalars())
    opt_outs.record(connection, subscriber_id, gone, now)
    return gone


def _unsubscribe(connection: Connection, subscriber_id: int, now: datetime) -> None:
    gone = connection.execute(
        update(subscribers)
        .where(
            subscribers.c.id == subscriber_id,
            subscribers.c.state.in_([SubscriberState.ACTIVE, SubscriberState.PENDING]),
        )
        .values(state=SubscriberState.UNSUBSCRIBED, updated_at=now)
    )
    if gone.rowcount:
        opt_outs.record(connection, subscriber_id, [opt_outs.EVERYTHING], now)


def _set(connection: Connection, subscriber_id: int, now: datetime, **values: Any) -> None:
    connection.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(updated_at=now, **values))


def remove(connection: Connection, address: str, now: datetime) -> bool:
    """Unsubscribe a person from everything and cancel queued deliveries; return whether the person exists."""
    subscriber_id = connection.execute(select(subscribers.c.id).where(subscribers.c.key == key_of(address))).scalar()
    if subscriber_id is None:
        return False
    _unsubscribe(connection, subscriber_id, now)
    _end(connection, subscriber_id, true(), now)
    deliveries.cancel(connection, subscriber_id, "unsubscribed", now)
    return True
