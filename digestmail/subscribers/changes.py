"""Notices about changes, and undoing them.

Forwarded emails contain the link to a subscriber's preferences. Therefore each change is announced to the subscriber by
email, with a link to undo it, which only their mailbox receives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.editions.requeue import requeue
from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.link_tokens import LinkTokens
from digestmail.model.deliveries import NoticeKind
from digestmail.model.differences import Difference, differences
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Subscriber, SubscriberState, SuppressionReason
from digestmail.schedule.moments import is_recent
from digestmail.storage import address_changes, changes, erasing, notices, subscribers, suppressions
from digestmail.storage.changes import Change
from digestmail.storage.database import Database
from digestmail.text.addresses import key_of

ONE_NOTICE_EVERY = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPreview:
    """What a link undoes: it restores `person` to `before`. `done` if this has already happened."""

    person: Subscriber
    before: Subscriber
    done: bool

    def steps(self) -> tuple[Difference, ...]:
        """Return the differences."""
        return differences(self.person, self.before)


def notify_of_change(connection: Connection, before: Subscriber, now: datetime) -> None:
    """Queue a notice of the changes since `before`, immediately or six hours after the last one.

    Further changes until it is sent belong to the same notice and the same undo link. Only active subscribers are
    notified.
    """
    if before.state is not SubscriberState.ACTIVE or _waiting(connection, before.id):
        return
    notified_at = notices.last_sent(connection, before.id, NoticeKind.CHANGED)
    recent = notified_at is not None and is_recent(notified_at, now, ONE_NOTICE_EVERY)
    due_at = notified_at + ONE_NOTICE_EVERY if notified_at is not None and recent else now
    content = {"change": str(changes.add(connection, before, now))}
    notices.enqueue(connection, before.id, NoticeKind.CHANGED, content, now, due_at=due_at)


def notify_immediately(connection: Connection, before: Subscriber, kind: NoticeKind, now: datetime) -> None:
    """Queue a notice of `kind` to the address of `before`, due immediately, instead of a waiting notice.

    Its link also undoes the changes of the waiting notice. Only active subscribers are notified.
    """
    if before.state is not SubscriberState.ACTIVE:
        return
    waiting = _waiting(connection, before.id)
    for notice_id, _ in waiting:
        notices.withdraw(connection, notice_id, "replaced by a later notice", now)
    change = waiting[0][1]["change"] if waiting else str(changes.add(connection, before, now))
    notices.enqueue(connection, before.id, kind, {"change": change, "to": before.address}, now)


def _waiting(connection: Connection, subscriber_id: int) -> list[tuple[int, dict[str, str]]]:
    """Return the waiting notices of changes to the subscriber's current address."""
    found = notices.waiting(connection, subscriber_id, NoticeKind.CHANGED)
    return [(notice_id, content) for notice_id, content in found if "to" not in content]


def find_undo(database: Database, links: LinkTokens, token: str, now: datetime) -> UndoPreview:
    """Return what a link would undo, changing nothing.

    Raises TokenError when it is forged or too old, SubscriptionError when nothing is stored about the person any more.
    """
    with database.connect() as connection:
        change, person = _found(connection, links, token, now)
    return UndoPreview(person=person, before=change.before, done=change.undone_at is not None)


def undo(database: Database, digests: Sequence[Digest], links: LinkTokens, token: str, now: datetime) -> Subscriber:
    """Restore a subscriber to the state before a change, including the address. Repeating it has no effect.

    Later changes are undone too. Raises TokenError like `find_undo`, and SubscriptionError if the address is suppressed
    or now belongs to another subscriber.
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
            free_address(connection, before.address, person.id, now)
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
    """Raise SubscriptionError if `address` is suppressed or belongs to another subscriber.

    An address is available again after its data was erased.
    """
    other = subscribers.find(connection, address)
    if other is not None and other.id != subscriber_id and other.state is SubscriberState.ACTIVE:
        raise SubscriptionError("that address already has a subscription")
    blocked = suppressions.reason_for(connection, key_of(address)) not in {None, SuppressionReason.ERASED}
    if blocked or (other is not None and other.state is SubscriberState.SUPPRESSED):
        raise SubscriptionError(
            "we cannot send email to that address because earlier emails bounced or were reported as spam"
        )


def free_address(connection: Connection, address: str, subscriber_id: int, now: datetime) -> None:
    """Make `address` available to a subscriber. A person who unsubscribed or never confirmed is erased."""
    other = subscribers.find(connection, address)
    if other is not None and other.id != subscriber_id:
        erasing.erase(connection, other.id, now)
    suppressions.forgive_erased(connection, key_of(address))
