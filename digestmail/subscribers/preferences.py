"""Change preferences, pause, unsubscribe. Queued deliveries are updated as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.bounces.counting import Recorded
from digestmail.bounces.identify import Request
from digestmail.editions.requeue import requeue
from digestmail.errors import SubscriptionError
from digestmail.model.deliveries import NoticeKind
from digestmail.model.digests import Cadence, Digest
from digestmail.model.subscribers import Preferences, Subscriber, SubscriberState
from digestmail.storage import (
    address_changes,
    confirmations,
    deliveries,
    erasing,
    notices,
    opt_outs,
    subscribers,
    unsubscribe_mails,
)
from digestmail.storage.database import Database
from digestmail.storage.opt_outs import EVERYTHING
from digestmail.subscribers.changes import notify_immediately, notify_of_change
from digestmail.subscribers.validate import checked

LONGEST_PAUSE = timedelta(days=366)
_OBSOLETE_NOTICES = (NoticeKind.CONFIRM, NoticeKind.WELCOME, NoticeKind.ALREADY, NoticeKind.ADDRESS)
"""Notices that are cancelled when a person unsubscribes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribeResult:
    """The digests that a person unsubscribed from, and whether they now have none (`all`)."""

    subscriber_id: int
    digests: tuple[str, ...]
    all: bool
    known: bool = True
    """Whether the subscriber exists."""


def get(database: Database, subscriber_id: int) -> Subscriber:
    """Return a subscriber. Raises SubscriptionError if no data is stored about them, for example after an erasure."""
    with database.connect() as connection:
        return _get(connection, subscriber_id)


def subscribed_since(database: Database, person: Subscriber) -> datetime:
    """Return since when a person is subscribed: their consent, or when they last left everything if that was later."""
    with database.connect() as connection:
        left = [one.opted_out_at for _, one in opt_outs.of(connection, [person.id]) if one.digest == EVERYTHING]
    return max([person.consent_at or person.created_at, *left])


def _get(connection: Connection, subscriber_id: int) -> Subscriber:
    found = subscribers.get(connection, subscriber_id)
    if found is None or erasing.is_erased(found.address):
        raise SubscriptionError("no data is stored about this subscriber")
    return found


def change(
    database: Database, digests: Sequence[Digest], subscriber_id: int, choices: Preferences, now: datetime
) -> Subscriber:
    """Replace the preferences of an active subscriber and update queued deliveries. Return the subscriber.

    The subscriber is notified by email, because the link may have been forwarded. Raises SubscriptionError if a choice
    does not exist or the subscriber is not active.
    """
    choices = checked(digests, choices)
    with database.begin() as connection:
        return _replace(connection, digests, _active(connection, subscriber_id), choices, now)


def choose_cadence(
    database: Database, digests: Sequence[Digest], subscriber_id: int, digest: str, cadence: Cadence, now: datetime
) -> Subscriber:
    """Change how often an active subscriber gets `digest`, and nothing else. Return the subscriber.

    The subscriber is notified as for `change`. Raises SubscriptionError if the person is not subscribed to `digest`.
    """
    with database.begin() as connection:
        before = _active(connection, subscriber_id)
        if digest not in {one.digest for one in before.subscriptions}:
            raise SubscriptionError("this subscription no longer exists")
        chosen = tuple(replace(one, cadence=cadence) if one.digest == digest else one for one in before.subscriptions)
        choices = Preferences(subscriptions=chosen, language=before.language, timezone=before.timezone)
        return _replace(connection, digests, before, choices, now)


def _active(connection: Connection, subscriber_id: int) -> Subscriber:
    found = _get(connection, subscriber_id)
    if found.state is not SubscriberState.ACTIVE:
        raise SubscriptionError("this address is not subscribed; you can subscribe again on the home page")
    return found


def _replace(
    connection: Connection, digests: Sequence[Digest], before: Subscriber, choices: Preferences, now: datetime
) -> Subscriber:
    subscribers.choose(connection, before.id, choices, now)
    kept = {one.digest for one in choices.subscriptions}
    for one in before.subscriptions:
        if one.digest not in kept:
            deliveries.cancel(connection, before.id, "unsubscribed", now, digest=one.digest)
    after = _get(connection, before.id)
    if after != before:
        requeue(connection, digests, before, after, now)
        notify_of_change(connection, before, now)
    return after


def pause(
    database: Database, subscriber_id: int, until: datetime | None, now: datetime, *, notify: bool = False
) -> Subscriber:
    """Pause deliveries to a subscriber until `until`, or resume them (None). Return the subscriber.

    With `notify`, the subscriber gets an email about it. Raises SubscriptionError if the subscriber does not exist, or
    if `until` is in the past or more than a year ahead.
    """
    if until is not None and not now < until <= now + LONGEST_PAUSE:
        raise SubscriptionError("a pause must end within the next year")
    with database.begin() as connection:
        before = _get(connection, subscriber_id)
        subscribers.pause(connection, subscriber_id, until, now)
        after = _get(connection, subscriber_id)
        if notify and after != before:
            notify_of_change(connection, before, now)
        return after


def unsubscribe(
    database: Database, subscriber_id: int, digest: str | None, now: datetime, *, report: str | None = None
) -> UnsubscribeResult:
    """Unsubscribe a person from `digest`, or from all digests (None), and cancel queued deliveries.

    The person is notified by email, because someone else may have used the link. `report` identifies an unsubscribe
    email, which is only processed once. Unknown people are treated as unsubscribed.
    """
    with database.begin() as connection:
        found = subscribers.get(connection, subscriber_id)
        if found is None:
            return UnsubscribeResult(subscriber_id=subscriber_id, digests=(), all=True, known=False)
        had = tuple(one.digest for one in found.subscriptions)
        if report is not None and not unsubscribe_mails.add(connection, subscriber_id, report, now):
            return UnsubscribeResult(subscriber_id=subscriber_id, digests=(), all=not had)
        left = had if digest is None else tuple(name for name in had if name == digest)
        if digest is None:
            subscribers.remove(connection, found.address, now)
            pending = confirmations.find(connection, subscriber_id)
            if pending is not None:
                confirmations.take(connection, subscriber_id, pending.nonce)
        else:
            subscribers.leave(connection, subscriber_id, digest, now)
        everything = len(left) == len(had)
        if everything and (left or digest is None):
            address_changes.take(connection, subscriber_id)
            notices.cancel(connection, subscriber_id, _OBSOLETE_NOTICES, "unsubscribed", now)
        if left and everything:
            notify_immediately(connection, found, NoticeKind.GOODBYE, now)
        elif left:
            notify_of_change(connection, found, now)
    return UnsubscribeResult(subscriber_id=subscriber_id, digests=left, all=everything)


def unsubscribe_by_email(database: Database, request: Request, now: datetime) -> Recorded:
    """Process an unsubscribe email in one transaction."""
    left = unsubscribe(database, request.subscriber_id, request.digest, now, report=request.report)
    if not left.known:
        return Recorded.UNKNOWN
    return Recorded.COUNTED if left.digests else Recorded.REPEATED
