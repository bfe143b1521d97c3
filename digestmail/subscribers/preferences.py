"""Change, pause, leave: what a person does with the link in every mail. It takes effect on what is queued already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.bounces.counting import Recorded
from digestmail.bounces.processor import Request
from digestmail.editions.requeue import requeue
from digestmail.errors import SubscriptionError
from digestmail.model.deliveries import NoticeKind
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Preferences, Subscriber, SubscriberState
from digestmail.storage import address_changes, confirmations, deliveries, notices, subscribers, unsubscribe_mails
from digestmail.storage.database import Database
from digestmail.subscribers.changes import tell_at_once, tell_of_change
from digestmail.subscribers.validate import checked

LONGEST_PAUSE = timedelta(days=366)
_OVER = (NoticeKind.CONFIRM, NoticeKind.WELCOME, NoticeKind.ALREADY, NoticeKind.ADDRESS)
"""Notices that have nothing to say any more to who left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What somebody left: names of digests, none when they had left before. `all` when nothing is left to them."""

    subscriber_id: int
    digests: tuple[str, ...]
    all: bool
    known: bool = True
    """Whether there is such a subscriber."""


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
    database: Database, digests: Sequence[Digest], subscriber_id: int, choices: Preferences, now: datetime
) -> Subscriber:
    """Make `choices` all that an active subscriber has, what waits for them included; return them.

    They are told by mail: the link may have been forwarded. Raises SubscriptionError when a choice does not exist or
    they are not active: who left has to subscribe, and confirm, again.
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
            tell_of_change(connection, before, now)
        return after


def pause(
    database: Database, subscriber_id: int, until: datetime | None, now: datetime, *, tell: bool = False
) -> Subscriber:
    """Send a person nothing before `until`, what is queued included; None ends the pause. Return them.

    With `tell` they get a mail about it: it was done with their link, not by the operator. Raises SubscriptionError
    when there is no such person, or `until` is past or over a year away.
    """
    if until is not None and not now < until <= now + LONGEST_PAUSE:
        raise SubscriptionError("a pause ends on a day within the next year")
    with database.begin() as connection:
        before = _get(connection, subscriber_id)
        subscribers.pause(connection, subscriber_id, until, now)
        if until is not None:
            deliveries.cancel(connection, subscriber_id, "paused", now, due_before=until)
        after = _get(connection, subscriber_id)
        if tell and after != before:
            tell_of_change(connection, before, now)
        return after


def leave(
    database: Database, subscriber_id: int, digest: str | None, now: datetime, *, report: str | None = None
) -> Left:
    """Unsubscribe a person from `digest`, or from all; what waits for them goes nowhere. Again it changes nothing.

    They are told by mail, however it was done: the link, or the address, may be in somebody else's hands. `report` is
    the identity of the mail that asked for it, which counts once. An unknown person has left already.
    """
    with database.begin() as connection:
        found = subscribers.get(connection, subscriber_id)
        if found is None:
            return Left(subscriber_id=subscriber_id, digests=(), all=True, known=False)
        had = tuple(one.digest for one in found.subscriptions)
        if report is not None and not unsubscribe_mails.add(connection, subscriber_id, report, now):
            return Left(subscriber_id=subscriber_id, digests=(), all=not had)
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
            notices.cancel(connection, subscriber_id, _OVER, "unsubscribed", now)
        if left and everything:
            tell_at_once(connection, found, NoticeKind.GOODBYE, now)
        elif left:
            tell_of_change(connection, found, now)
    return Left(subscriber_id=subscriber_id, digests=left, all=everything)


def leave_by_mail(database: Database, request: Request, now: datetime) -> Recorded:
    """Unsubscribe whoever asked for it by mail, in one transaction."""
    left = leave(database, request.subscriber_id, request.digest, now, report=request.report)
    if not left.known:
        return Recorded.UNKNOWN
    return Recorded.COUNTED if left.digests else Recorded.REPEATED
