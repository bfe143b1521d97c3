"""Change, pause, leave: what a person does with the link in every mail. It takes effect on what is queued already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.errors import SubscriptionError
from digestmail.model import Choices, Digest, NoticeKind, Subscriber, SubscriberState
from digestmail.moments import is_recent
from digestmail.people.choices import checked
from digestmail.pipeline.requeue import requeue
from digestmail.storage import confirmations, deliveries, notices, subscribers
from digestmail.storage.database import Database

LONGEST_PAUSE = timedelta(days=366)
_ONE_NOTICE_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What somebody left: names of digests, none when they had left before. `all` when nothing is left to them."""

    subscriber_id: int
    digests: tuple[str, ...]
    all: bool


def get(database: Database, subscriber_id: int) -> Subscriber:
    """Return who holds a link. Raises SubscriptionError when they are not known (any more)."""
    with database.connect() as connection:
        return _get(connection, subscriber_id)


def _get(connection: Connection, subscriber_id: int) -> Subscriber:
    found = subscribers.get(connection, subscriber_id)
    if found is None:
        raise SubscriptionError("there is no such subscriber (any more)")
    return found


def change(
    database: Database, digests: Sequence[Digest], subscriber_id: int, choices: Choices, now: datetime
) -> Subscriber:
    """Make `choices` all that an active subscriber has, what waits for them included; return them.

    They are told by mail, at most once a day: the link may have been forwarded. Raises SubscriptionError when a choice
    does not exist or they are not active: who left has to subscribe, and confirm, again.
    """
    choices = checked(digests, choices)
    with database.begin() as connection:
        before = _get(connection, subscriber_id)
        if before.state is not SubscriberState.ACTIVE:
            raise SubscriptionError("this address is not subscribed: subscribe again on the home page")
        subscribers.choose(connection, subscriber_id, choices, now)
        kept = {one.digest for one in choices.subscriptions}
        for one in before.subscriptions:
            if one.digest not in kept:
                deliveries.cancel(connection, subscriber_id, "unsubscribed", now, digest=one.digest)
        after = _get(connection, subscriber_id)
        if after != before:
            requeue(connection, digests, before, after, now)
            _tell_of_change(connection, subscriber_id, now)
        return after


def _tell_of_change(connection: Connection, subscriber_id: int, now: datetime) -> None:
    told_at = notices.last_queued(connection, subscriber_id, now, NoticeKind.CHANGED)
    if told_at is None or not is_recent(told_at, now, _ONE_NOTICE_EVERY):
        notices.enqueue(connection, subscriber_id, NoticeKind.CHANGED, {}, now)


def pause(database: Database, subscriber_id: int, until: datetime | None, now: datetime) -> Subscriber:
    """Send a person nothing before `until`, what is queued included; None ends the pause. Return them.

    Raises SubscriptionError when there is no such person, or `until` is past or over a year away.
    """
    if until is not None and not now < until <= now + LONGEST_PAUSE:
        raise SubscriptionError("a pause ends on a day within the next year")
    with database.begin() as connection:
        _get(connection, subscriber_id)
        subscribers.pause(connection, subscriber_id, until, now)
        if until is not None:
            deliveries.cancel(connection, subscriber_id, "paused", now, due_before=until)
        return _get(connection, subscriber_id)


def leave(database: Database, subscriber_id: int, digest: str | None, now: datetime, *, farewell: bool = False) -> Left:
    """Unsubscribe a person from `digest`, or from all; what waits for them goes nowhere. Again it changes nothing.

    With `farewell` who leaves everything is told so by mail: never for a one-click request, after which nothing more
    may arrive. An unknown person has left already.
    """
    with database.begin() as connection:
        found = subscribers.get(connection, subscriber_id)
        if found is None:
            return Left(subscriber_id=subscriber_id, digests=(), all=True)
        had = tuple(one.digest for one in found.subscriptions)
        left = had if digest is None else tuple(name for name in had if name == digest)
        if digest is None:
            subscribers.remove(connection, found.address, now)
            pending = confirmations.find(connection, subscriber_id)
            if pending is not None:
                confirmations.take(connection, subscriber_id, pending.nonce)
        else:
            subscribers.leave(connection, subscriber_id, digest, now)
        everything = len(left) == len(had)
        if everything:
            notices.cancel(connection, subscriber_id, "unsubscribed", now)
        if left and everything and farewell:
            notices.enqueue(connection, subscriber_id, NoticeKind.GOODBYE, {}, now)
    return Left(subscriber_id=subscriber_id, digests=left, all=everything)
