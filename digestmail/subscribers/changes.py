"""Tell a subscriber by mail what somebody with their link did, and undo it.

A mail that was forwarded, or read by somebody else, carries the link that changes and ends a subscription. So whatever
is done with it is told to the subscriber, with another link that undoes it and that only their mailbox gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.editions.requeue import requeue
from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.addresses import key_of
from digestmail.mail.link_tokens import LinkTokens
from digestmail.model.deliveries import NoticeKind
from digestmail.model.differences import Difference, differences
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Subscriber, SubscriberState, SuppressionReason
from digestmail.schedule.moments import is_recent
from digestmail.storage import address_changes, changes, erasing, notices, subscribers, suppressions
from digestmail.storage.changes import Change
from digestmail.storage.database import Database

ONE_NOTICE_EVERY = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """What a link would undo: from `person` as they are back to `before`; `done` if that has happened already."""

    person: Subscriber
    before: Subscriber
    done: bool

    def steps(self) -> tuple[Difference, ...]:
        """Return what the undoing changes."""
        return differences(self.person, self.before)


def tell_of_change(connection: Connection, before: Subscriber, now: datetime) -> None:
    """Queue a notice of what changed since `before`: at once, or six hours after the last one.

    Further changes until it is sent are told by the same notice, and undone by the same link. Only who was active is
    told.
    """
    if before.state is not SubscriberState.ACTIVE or _waiting(connection, before.id):
        return
    told_at = notices.last_sent(connection, before.id, NoticeKind.CHANGED)
    recent = told_at is not None and is_recent(told_at, now, ONE_NOTICE_EVERY)
    due_at = told_at + ONE_NOTICE_EVERY if told_at is not None and recent else now
    content = {"change": str(changes.add(connection, before, now))}
    notices.enqueue(connection, before.id, NoticeKind.CHANGED, content, now, due_at=due_at)


def tell_at_once(connection: Connection, before: Subscriber, kind: NoticeKind, now: datetime) -> None:
    """Queue a notice of `kind` to the address of `before`, due at once, in place of a notice that waits.

    Its link undoes what that one would have told of, too. Only who was active is told.
    """
    if before.state is not SubscriberState.ACTIVE:
        return
    waiting = _waiting(connection, before.id)
    for notice_id, _ in waiting:
        notices.withdraw(connection, notice_id, "told by a later notice", now)
    change = waiting[0][1]["change"] if waiting else str(changes.add(connection, before, now))
    notices.enqueue(connection, before.id, kind, {"change": change, "to": before.address}, now)


def _waiting(connection: Connection, subscriber_id: int) -> list[tuple[int, dict[str, str]]]:
    """Return the notices of changes that wait and go to the subscriber's present address."""
    found = notices.waiting(connection, subscriber_id, NoticeKind.CHANGED)
    return [(notice_id, content) for notice_id, content in found if "to" not in content]


def look(database: Database, links: LinkTokens, token: str, now: datetime) -> Undoing:
    """Return what a link would undo, changing nothing.

    Raises TokenError when it is forged or too old, SubscriptionError when nothing is stored about the person any more.
    """
    with database.connect() as connection:
        change, person = _found(connection, links, token, now)
    return Undoing(person=person, before=change.before, done=change.undone_at is not None)


def undo(database: Database, digests: Sequence[Digest], links: LinkTokens, token: str, now: datetime) -> Subscriber:
    """Give a subscriber back what they had before a change, the address included; again it changes nothing.

    Later changes are undone with it. Raises TokenError as `look` does, and SubscriptionError when the address is
    suppressed, or belongs to another subscriber by now.
    """
    with database.begin() as connection:
        change, person = _found(connection, links, token, now)
        if not changes.close(connection, change, now):
            return person
        before = change.before
        check_free(connection, before.address, person.id)
        if person.state is SubscriberState.SUPPRESSED:
            raise SubscriptionError(
                "we cannot send email to this address because earlier emails bounced or were reported as spam"
            )
        address_changes.take(connection, person.id)
        for notice_id, _ in _waiting(connection, person.id):
            notices.withdraw(connection, notice_id, "undone", now)
        if before.address != person.address:
            take_over(connection, before.address, person.id, now)
            subscribers.readdress(connection, person.id, before.address, now)
        subscribers.restore(connection, before, now)
        after = subscribers.get(connection, person.id)
        assert after is not None  # noqa: S101 - the transaction has it
        requeue(connection, digests, person, after, now)
    return after


def _found(connection: Connection, links: LinkTokens, token: str, now: datetime) -> tuple[Change, Subscriber]:
    change = changes.find(connection, links.read_undo(token, now))
    if change is None:
        raise TokenError("this link has expired")
    person = subscribers.get(connection, change.before.id)
    if person is None:
        raise SubscriptionError("this subscription no longer exists")
    return change, person


def check_free(connection: Connection, address: str, subscriber_id: int) -> None:
    """Raise SubscriptionError unless this subscriber may have `address`: not suppressed, and no one else's.

    Who was erased may come back to their address themselves.
    """
    other = subscribers.find(connection, address)
    if other is not None and other.id != subscriber_id and other.state is SubscriberState.ACTIVE:
        raise SubscriptionError("that address already has a subscription")
    blocked = suppressions.reason_for(connection, key_of(address)) not in {None, SuppressionReason.ERASED}
    if blocked or (other is not None and other.state is SubscriberState.SUPPRESSED):
        raise SubscriptionError(
            "we cannot send email to that address because earlier emails bounced or were reported as spam"
        )


def take_over(connection: Connection, address: str, subscriber_id: int, now: datetime) -> None:
    """Make `address` free for a subscriber: somebody who left, or never confirmed, is forgotten."""
    other = subscribers.find(connection, address)
    if other is not None and other.id != subscriber_id:
        erasing.erase(connection, other.id, now)
    suppressions.forgive_erased(connection, key_of(address))
