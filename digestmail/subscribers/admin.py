"""Subscriptions and suppressions, managed by the operator. Added subscribers need no confirmation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection

from digestmail.errors import SubscriptionError
from digestmail.model.digests import Cadence, Digest
from digestmail.model.subscribers import (
    ChoiceCount,
    Preferences,
    Subscriber,
    SubscriberState,
    Subscription,
    Suppression,
    SuppressionReason,
)
from digestmail.schedule.timezones import check_timezone
from digestmail.storage import audience, subscribers, suppressions
from digestmail.storage.database import Database
from digestmail.subscribers.validate import checked_subscription
from digestmail.text.addresses import key_of, normalize_address

_REASONS: dict[SuppressionReason | None, str] = {
    SuppressionReason.BOUNCED: "emails to it bounced or were reported as spam",
    SuppressionReason.COMPLAINED: "the recipient reported an email as spam",
    SuppressionReason.ERASED: "the person's data was erased; only they can subscribe again, on the subscribe page",
    SuppressionReason.OPERATOR: "by the operator",
}


def add(
    database: Database, digests: Sequence[Digest], address: str, digest: str, topics: Sequence[str], now: datetime
) -> Subscriber:
    """Subscribe `address` to `digest`, with all topics if `topics` is empty. If it is subscribed, change its topics.

    Raises SubscriptionError if the digest or a topic does not exist, or if the address is suppressed.
    """
    with database.begin() as connection:
        return add_within(connection, digests, address, digest, topics, now)


def add_within(
    connection: Connection, digests: Sequence[Digest], address: str, digest: str, topics: Sequence[str], now: datetime
) -> Subscriber:
    """Like `add`, but in the caller's transaction."""
    subscription = checked_subscription(digests, Subscription(digest=digest, topics=tuple(topics)))
    address = normalize_address(address)
    reason = suppressions.reason_for(connection, key_of(address))
    known = subscribers.find(connection, address)
    chosen = next((one for one in known.subscriptions if one.digest == digest), None) if known else None
    if chosen is not None:  # the hour and the cadence they chose are theirs
        subscription = replace(subscription, hour=chosen.hour, cadence=chosen.cadence)
    if reason is not None or (known is not None and known.state is SubscriberState.SUPPRESSED):
        raise SubscriptionError(f"{address} is suppressed: {_REASONS.get(reason, _REASONS[SuppressionReason.BOUNCED])}")
    subscriber_id = subscribers.add(connection, address, now)
    subscribers.subscribe(connection, subscriber_id, subscription, now)
    added = subscribers.get(connection, subscriber_id)
    assert added is not None  # noqa: S101 - the transaction has it
    return added


def set_details(
    database: Database,
    address: str,
    digest: str,
    now: datetime,
    *,
    hour: int | None = None,
    cadence: Cadence | None = None,
    language: str | None = None,
    timezone: str | None = None,
) -> Subscriber:
    """Change the hour (0..23) or cadence of a subscription, or the language or time zone of a subscriber.

    None changes nothing.

    Raises SubscriptionError when there is no such subscriber, subscription or time zone.
    """
    if timezone is not None and (wrong := check_timezone(timezone)):
        raise SubscriptionError(wrong)
    address = normalize_address(address)
    with database.begin() as connection:
        found = subscribers.find(connection, address)
        if found is None:
            raise SubscriptionError(f"{address} is not a subscriber")
        one = next((one for one in found.subscriptions if one.digest == digest), None)
        if one is None:
            raise SubscriptionError(f"{address} is not subscribed to {digest!r}")
        changed_one = replace(one, hour=one.hour if hour is None else hour, cadence=cadence or one.cadence)
        chosen = tuple(changed_one if each is one else each for each in found.subscriptions)
        preferences = Preferences(
            subscriptions=chosen, language=language or found.language, timezone=timezone or found.timezone
        )
        subscribers.choose(connection, found.id, preferences, now)
        changed = subscribers.get(connection, found.id)
    assert changed is not None  # noqa: S101 - the transaction has it
    return changed


def show(database: Database, address: str) -> Subscriber:
    """Return the subscriber at `address`. Raises SubscriptionError if there is none."""
    address = normalize_address(address)
    with database.connect() as connection:
        found = subscribers.find(connection, address)
    if found is None:
        raise SubscriptionError(f"{address} is not a subscriber")
    return found


def list_all(
    database: Database, *, digest: str | None = None, state: SubscriberState | None = None
) -> Iterator[Subscriber]:
    """Yield subscribers, optionally only those of one digest or state."""
    with database.connect() as connection:
        yield from subscribers.list_subscribers(connection, digest=digest, state=state)


def page(
    database: Database, *, digest: str | None = None, state: SubscriberState | None = None, limit: int, offset: int = 0
) -> list[Subscriber]:
    """Return at most `limit` subscribers, oldest first, after the first `offset`."""
    with database.connect() as connection:
        found = subscribers.list_subscribers(connection, digest=digest, state=state)
        return list(islice(found, offset, offset + limit))


def search(database: Database, text: str, *, after: int, limit: int) -> list[Subscriber]:
    """Return at most `limit` subscribers with ids above `after` whose address contains `text`, oldest first."""
    with database.connect() as connection:
        return list(islice(subscribers.list_subscribers(connection, containing=text, after=after), limit))


def find_by_id(database: Database, subscriber_id: int) -> Subscriber | None:
    """Return the subscriber with this number, or None."""
    with database.connect() as connection:
        return subscribers.get(connection, subscriber_id)


def suppression_of(database: Database, address: str) -> Suppression | None:
    """Return the suppression of an address, or None."""
    with database.connect() as connection:
        return suppressions.find(connection, key_of(address))


def remove(database: Database, address: str, now: datetime) -> None:
    """Unsubscribe `address` from all digests and cancel its queued deliveries.

    Raises SubscriptionError if it is not a subscriber.
    """
    address = normalize_address(address)
    with database.begin() as connection:
        if not subscribers.remove(connection, address, now):
            raise SubscriptionError(f"{address} is not a subscriber")


def suppressed(database: Database) -> Iterator[Suppression]:
    """Yield all suppressions, newest first."""
    with database.connect() as connection:
        yield from suppressions.list_all(connection)


def suppress(database: Database, address: str, detail: str, now: datetime) -> None:
    """Suppress `address`, whether or not it is a subscriber, and cancel its queued deliveries."""
    with database.begin() as connection:
        suppress_within(connection, address, detail, now)


def suppress_within(connection: Connection, address: str, detail: str, now: datetime) -> Suppression:
    """Like `suppress`, but in the caller's transaction. Return the suppression."""
    key = key_of(normalize_address(address))
    suppressions.add(connection, key, SuppressionReason.OPERATOR, detail, now)
    return next(one for one in suppressions.list_all(connection) if one.key == key)


def lift(database: Database, address: str, now: datetime) -> None:
    """Lift the suppression of `address`, so that it can subscribe again.

    Raises SubscriptionError if there is none.
    """
    address = normalize_address(address)
    with database.begin() as connection:
        if not suppressions.remove(connection, key_of(address), now):
            raise SubscriptionError(f"{address} is not suppressed")


def lift_key(database: Database, key: str, now: datetime) -> bool:
    """Lift the suppression with this key (an address or a hash). Return whether there was one."""
    with database.begin() as connection:
        return suppressions.remove(connection, key, now)


def count_choices(database: Database) -> tuple[ChoiceCount, ...]:
    """Return each combination of preferences of active subscribers, with its count."""
    with database.connect() as connection:
        return audience.count_choices(connection)
