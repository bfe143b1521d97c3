"""Subscriptions: who wants which digest. Added by the operator, a person is active at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection

from digestmail.errors import SubscriptionError
from digestmail.mail.addresses import key_of, normalised
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Subscriber, SubscriberState, Subscription, SuppressionReason
from digestmail.storage import subscribers, suppressions
from digestmail.storage.database import Database
from digestmail.storage.suppressions import Suppression

_WHY: dict[SuppressionReason | None, str] = {
    SuppressionReason.BOUNCED: "mail to it bounced or was complained about",
    SuppressionReason.COMPLAINED: "they complained about our mail",
    SuppressionReason.ERASED: "they asked to be erased, and only they can come back, by the subscribe page",
    SuppressionReason.OPERATOR: "by the operator",
}


def add(
    database: Database, digests: Sequence[Digest], address: str, digest: str, topics: Sequence[str], now: datetime
) -> Subscriber:
    """Subscribe `address` to `digest` (all topics if none is given). Doing it again changes the topics.

    Raises SubscriptionError when the digest or a topic does not exist or the address is suppressed.
    """
    with database.begin() as connection:
        return add_within(connection, digests, address, digest, topics, now)


def add_within(
    connection: Connection, digests: Sequence[Digest], address: str, digest: str, topics: Sequence[str], now: datetime
) -> Subscriber:
    """Do what `add` does as a part of the caller's transaction."""
    check_choice(digests, digest, topics)
    address = normalised(address)
    reason = suppressions.reason_for(connection, key_of(address))
    known = subscribers.find(connection, address)
    if reason is not None or (known is not None and known.state is SubscriberState.SUPPRESSED):
        raise SubscriptionError(f"{address} is suppressed: {_WHY.get(reason, _WHY[SuppressionReason.BOUNCED])}")
    subscriber_id = subscribers.add(connection, address, now)
    subscribers.subscribe(connection, subscriber_id, Subscription(digest=digest, topics=tuple(topics)), now)
    added = subscribers.get(connection, subscriber_id)
    assert added is not None  # noqa: S101 - the transaction has it
    return added


def show(database: Database, address: str) -> Subscriber:
    """Return what is known of `address`. Raises SubscriptionError when nothing is."""
    address = normalised(address)
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
    """Return `limit` subscribers at most in the order they came, after the first `offset`."""
    with database.connect() as connection:
        found = subscribers.list_subscribers(connection, digest=digest, state=state)
        return list(islice(found, offset, offset + limit))


def remove(database: Database, address: str, now: datetime) -> None:
    """Unsubscribe `address` from everything, deliveries already queued included.

    Raises SubscriptionError when it is not a subscriber.
    """
    address = normalised(address)
    with database.begin() as connection:
        if not subscribers.remove(connection, address, now):
            raise SubscriptionError(f"{address} is not a subscriber")


def suppressed(database: Database) -> Iterator[Suppression]:
    """Yield every address nothing is sent to, the newest first."""
    with database.connect() as connection:
        yield from suppressions.list_all(connection)


def suppress(database: Database, address: str, detail: str, now: datetime) -> None:
    """Send nothing to `address` any more, subscriber or not; what is queued is cancelled."""
    key = key_of(normalised(address))
    with database.begin() as connection:
        suppressions.add(connection, key, SuppressionReason.OPERATOR, detail, now)


def lift(database: Database, address: str, now: datetime) -> None:
    """Lift the suppression of `address`, which may then subscribe anew.

    Raises SubscriptionError when there is none.
    """
    address = normalised(address)
    with database.begin() as connection:
        if not suppressions.remove(connection, key_of(address), now):
            raise SubscriptionError(f"{address} is not suppressed")


def check_choice(digests: Sequence[Digest], name: str, topics: Sequence[str]) -> None:
    """Raise SubscriptionError, with the nearest known name, when there is no such digest or it has no such topic."""
    digest = next((digest for digest in digests if digest.name == name), None)
    if digest is None:
        raise SubscriptionError(f"there is no digest {name!r}{_hint(name, [digest.name for digest in digests])}")
    known = [topic.name for topic in digest.topics]
    for topic in topics:
        if topic not in known:
            raise SubscriptionError(f"digest {name!r} has no topic {topic!r}{_hint(topic, known)}")


def _hint(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are: {', '.join(known)}" if known else ""
