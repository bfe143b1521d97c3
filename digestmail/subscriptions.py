"""Subscriptions: who wants which digest. Added by the operator, a person is active at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from datetime import datetime

from email_validator import EmailNotValidError, validate_email

from digestmail.errors import DigestmailError
from digestmail.model import Digest, Subscriber, SubscriberState, Subscription, SuppressionReason
from digestmail.storage import subscribers, suppressions
from digestmail.storage.database import Database
from digestmail.storage.suppressions import Suppression


class SubscriptionError(DigestmailError):
    """What was asked for does not exist or is not allowed."""


def normalised(address: str) -> str:
    """Return the one spelling of `address` it is stored under: Unicode NFC, domain in lower case.

    Raises SubscriptionError for what is not an address (RFC 5321 section 4.1.2, RFC 6531). No DNS is asked.
    """
    try:
        checked = validate_email(address.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise SubscriptionError(f"{address!r} is not a mail address: {error}") from error
    return checked.normalized


def add(
    database: Database, digests: Sequence[Digest], address: str, digest: str, topics: Sequence[str], now: datetime
) -> Subscriber:
    """Subscribe `address` to `digest` (all topics if none is given). Doing it again changes the topics.

    Raises SubscriptionError when the digest or a topic does not exist or the address is suppressed.
    """
    _check(digests, digest, topics)
    address = normalised(address)
    with database.begin() as connection:
        known = subscribers.find(connection, address)
        gone = known is not None and known.state is SubscriberState.SUPPRESSED
        if gone or suppressions.among(connection, [address.casefold()]):
            raise SubscriptionError(f"{address} is suppressed: mail to it bounced or was complained about")
        subscriber_id = subscribers.add(connection, address, now)
        subscribers.subscribe(connection, subscriber_id, Subscription(digest=digest, topics=tuple(topics)), now)
    return show(database, address)


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
    key = normalised(address).casefold()
    with database.begin() as connection:
        suppressions.add(connection, key, SuppressionReason.OPERATOR, detail, now)


def lift(database: Database, address: str, now: datetime) -> None:
    """Lift the suppression of `address`, which may then subscribe anew.

    Raises SubscriptionError when there is none.
    """
    address = normalised(address)
    with database.begin() as connection:
        if not suppressions.remove(connection, address.casefold(), now):
            raise SubscriptionError(f"{address} is not suppressed")


def _check(digests: Sequence[Digest], name: str, topics: Sequence[str]) -> None:
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
