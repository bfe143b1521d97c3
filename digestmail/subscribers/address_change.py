"""Address changes: requested in the preferences, confirmed at the new address, announced to the old one."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.link_tokens import LinkTokens
from digestmail.model.deliveries import NoticeKind
from digestmail.model.subscribers import Subscriber, SubscriberState, SuppressionReason
from digestmail.schedule.moments import is_recent
from digestmail.storage import address_changes, notices, subscribers, suppressions
from digestmail.storage.address_changes import AddressChange
from digestmail.storage.database import Database
from digestmail.subscribers.changes import check_free, free_address, notify_immediately
from digestmail.subscribers.signup import ONE_MAIL_EVERY, SignupReply
from digestmail.text.addresses import key_of


def request_change(
    database: Database, subscriber_id: int, address: str, now: datetime, *, random_token: Callable[[], str]
) -> SignupReply:
    """Store the normalized `address` that a subscriber wants, and queue the confirmation request."""
    with database.begin() as connection:
        return request_change_within(connection, subscriber_id, address, now, random_token=random_token)


def request_change_within(
    connection: Connection, subscriber_id: int, address: str, now: datetime, *, random_token: Callable[[], str]
) -> SignupReply:
    """Like `request_change`, but in the caller's transaction.

    The result is for the log only, because it would reveal who is subscribed. An address that already has a
    subscription gets the same email as after a sign-up.
    """
    person = subscribers.get(connection, subscriber_id)
    if person is None or person.state is not SubscriberState.ACTIVE or person.address == address:
        return SignupReply.NOTHING
    if suppressions.reason_for(connection, key_of(address)) not in {None, SuppressionReason.ERASED}:
        return SignupReply.NOTHING
    other = subscribers.find(connection, address)
    if other is not None and other.id != subscriber_id:
        if other.state is SubscriberState.SUPPRESSED:
            return SignupReply.NOTHING
        if other.state is SubscriberState.ACTIVE:
            return _notify_already_subscribed(connection, other, now)
    wanted = AddressChange(subscriber_id=subscriber_id, nonce=random_token(), address=address, asked_at=now)
    return _queue_request(connection, person, wanted)


def _notify_already_subscribed(connection: Connection, other: Subscriber, now: datetime) -> SignupReply:
    written_at = notices.last_queued(connection, other.id, now, NoticeKind.ALREADY)
    if written_at is not None and is_recent(written_at, now, ONE_MAIL_EVERY):
        return SignupReply.NOTHING
    notices.enqueue(connection, other.id, NoticeKind.ALREADY, {}, now)
    return SignupReply.ALREADY


def _queue_request(connection: Connection, person: Subscriber, wanted: AddressChange) -> SignupReply:
    """Queue the email to the new address, at most once a day for the same address."""
    pending = address_changes.find(connection, person.id)
    if (
        pending is not None
        and key_of(pending.address) == key_of(wanted.address)
        and is_recent(pending.asked_at, wanted.asked_at, ONE_MAIL_EVERY)
    ):
        return SignupReply.NOTHING
    address_changes.put(connection, wanted)
    content = {"nonce": wanted.nonce, "to": wanted.address}
    notices.enqueue(connection, person.id, NoticeKind.ADDRESS, content, wanted.asked_at)
    return SignupReply.CONFIRM


def pending_change(database: Database, links: LinkTokens, token: str, now: datetime) -> AddressChange:
    """Return the change that a link confirms. Raises TokenError if the link was used or has expired."""
    with database.connect() as connection:
        return _pending(connection, links, token, now)


def confirm(database: Database, links: LinkTokens, token: str, now: datetime) -> Subscriber:
    """Change a subscriber's address to the one that received the link, and notify the old one.

    Raises TokenError if the link was used or has expired, and SubscriptionError if the subscriber has unsubscribed, or
    if the address is suppressed or has its own subscription.
    """
    with database.begin() as connection:
        pending = _pending(connection, links, token, now)
        if not address_changes.take(connection, pending.subscriber_id, pending.nonce):
            raise TokenError("this confirmation link has already been used")
        before = subscribers.get(connection, pending.subscriber_id)
        if before is None or before.state is not SubscriberState.ACTIVE:
            raise SubscriptionError("the subscription has ended; you can subscribe again on the home page")
        check_free(connection, pending.address, before.id)
        free_address(connection, pending.address, before.id, now)
        subscribers.readdress(connection, before.id, pending.address, now)
        notify_immediately(connection, before, NoticeKind.CHANGED, now)
        after = subscribers.get(connection, before.id)
    assert after is not None  # noqa: S101 - the transaction has it
    return after


def change_by_operator(database: Database, address: str, new: str, now: datetime) -> Subscriber:
    """Change a subscriber's address from `address` to `new`, both normalized, without a notice.

    Raises SubscriptionError if there is no such subscriber, or if `new` is suppressed or has its own subscription.
    """
    with database.begin() as connection:
        found = subscribers.find(connection, address)
        if found is None:
            raise SubscriptionError(f"{address} is not a subscriber")
        if found.state is SubscriberState.SUPPRESSED:
            raise SubscriptionError(f"{address} is suppressed; lift this with `digestmail suppressions remove`")
        check_free(connection, new, found.id)
        free_address(connection, new, found.id, now)
        address_changes.take(connection, found.id)
        subscribers.readdress(connection, found.id, new, now)
        after = subscribers.get(connection, found.id)
    assert after is not None  # noqa: S101 - the transaction has it
    return after


def _pending(connection: Connection, links: LinkTokens, token: str, now: datetime) -> AddressChange:
    subscriber_id, nonce = links.read_address(token, now)
    pending = address_changes.find(connection, subscriber_id)
    if pending is None or not hmac.compare_digest(pending.nonce.encode(), nonce.encode()):
        raise TokenError("this confirmation link has already been used")
    return pending
