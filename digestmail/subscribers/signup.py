"""Sign-up with double opt-in. An address gets at most one confirmation request a day."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from digestmail.editions.late_recipients import welcome
from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.link_tokens import CONFIRM_WITHIN, UNDO_WITHIN, LinkTokens
from digestmail.model.deliveries import NoticeKind
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Consent, Preferences, Subscriber, SubscriberState, SuppressionReason
from digestmail.schedule.moments import is_recent
from digestmail.storage import (
    address_changes,
    address_requests,
    changes,
    confirmations,
    notices,
    subscribers,
    suppressions,
)
from digestmail.storage.confirmations import Confirmation
from digestmail.storage.database import Database
from digestmail.subscribers.validate import checked
from digestmail.text.addresses import key_of

ONE_MAIL_EVERY = timedelta(days=1)
CONSENT_SOURCE = "web form, confirmed by email"
_FORGET_AFTER = CONFIRM_WITHIN + timedelta(days=4)


class SignupReply(StrEnum):
    """The email that a sign-up triggers. The page that the person sees is always the same."""

    CONFIRM = "confirm"
    ALREADY = "already"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupState:
    """The state of an address that the reply depends on."""

    state: SubscriberState | None
    suppressed: SuppressionReason | None
    written_at: datetime | None
    """When the last email of this kind was queued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The subscriber who confirmed."""

    subscriber: Subscriber


def reply_to(status: SignupState, now: datetime) -> SignupReply:
    """Decide which email a sign-up triggers. Pure.

    Suppressed addresses get none, except those of erased people, who may sign up again.
    """
    if status.suppressed not in {None, SuppressionReason.ERASED} or status.state is SubscriberState.SUPPRESSED:
        return SignupReply.NOTHING
    if status.written_at is not None and is_recent(status.written_at, now, ONE_MAIL_EVERY):
        return SignupReply.NOTHING
    return SignupReply.ALREADY if status.state is SubscriberState.ACTIVE else SignupReply.CONFIRM


def request_signup(
    database: Database,
    digests: Sequence[Digest],
    address: str,
    choices: Preferences,
    now: datetime,
    *,
    random_token: Callable[[], str],
) -> SignupReply:
    """Store a sign-up for the normalized `address` and queue the email it triggers. Return which one.

    Raises SubscriptionError if a choice does not exist.
    """
    with database.begin() as connection:
        return request_signup_within(connection, digests, address, choices, now, random_token=random_token)


def request_signup_within(
    connection: Connection,
    digests: Sequence[Digest],
    address: str,
    choices: Preferences,
    now: datetime,
    *,
    random_token: Callable[[], str],
) -> SignupReply:
    """Like `request_signup`, but in the caller's transaction.

    The result is for the log only; the web response is sent before this is called, so that it reveals nothing.
    """
    choices = checked(digests, choices)
    known = subscribers.find(connection, address)
    reply = reply_to(_signup_state(connection, key_of(address), known, now), now)
    if known is not None and known.state in {SubscriberState.ACTIVE, SubscriberState.SUPPRESSED}:
        if reply is SignupReply.ALREADY:
            notices.enqueue(connection, known.id, NoticeKind.ALREADY, {}, now)
        return reply
    pending = confirmations.find(connection, known.id) if known is not None else None
    if reply is SignupReply.CONFIRM:
        subscriber_id = subscribers.add_pending(connection, address, now)
        asked = Confirmation(subscriber_id=subscriber_id, nonce=random_token(), choices=choices, asked_at=now)
        confirmations.put(connection, asked)
        notices.enqueue(connection, subscriber_id, NoticeKind.CONFIRM, {"nonce": asked.nonce}, now)
    elif pending is not None:
        # No second email, but the link in the first one now confirms the latest preferences.
        again = Confirmation(
            subscriber_id=pending.subscriber_id, nonce=pending.nonce, choices=choices, asked_at=pending.asked_at
        )
        confirmations.put(connection, again)
    return reply


def _signup_state(connection: Connection, key: str, known: Subscriber | None, now: datetime) -> SignupState:
    suppressed = suppressions.reason_for(connection, key)
    if known is None:
        return SignupState(state=None, suppressed=suppressed, written_at=None)
    if known.state is SubscriberState.ACTIVE:
        written_at = notices.last_queued(connection, known.id, now, NoticeKind.ALREADY)
    else:
        pending = confirmations.find(connection, known.id)
        written_at = pending.asked_at if pending else None
    return SignupState(state=known.state, suppressed=suppressed, written_at=written_at)


def pending_preferences(database: Database, tokens: LinkTokens, token: str, now: datetime) -> Preferences:
    """Return the preferences that a link confirms. Raises TokenError if the link was used or has expired."""
    with database.connect() as connection:
        return _pending(connection, tokens, token, now).choices


def confirm(
    database: Database, tokens: LinkTokens, token: str, now: datetime, digests: Sequence[Digest] = ()
) -> Confirmed:
    """Activate a subscriber, and queue the welcome email and the latest editions of `digests` that want that.

    Raises TokenError if the link was used or has expired.
    """
    with database.begin() as connection:
        pending = _pending(connection, tokens, token, now)
        if not confirmations.take(connection, pending.subscriber_id, pending.nonce):
            raise TokenError("this confirmation link has already been used")
        found = subscribers.get(connection, pending.subscriber_id)
        if found is None or found.state is SubscriberState.SUPPRESSED:
            raise SubscriptionError(
                "we cannot send email to this address because earlier emails bounced or were reported as spam"
            )
        suppressions.forgive_erased(connection, key_of(found.address))
        subscribers.choose(connection, found.id, pending.choices, now)
        subscribers.activate(connection, found.id, Consent(source=CONSENT_SOURCE, at=now), now)
        notices.enqueue(connection, found.id, NoticeKind.WELCOME, {}, now)
        welcome(connection, digests, found.id, now)
        subscriber = subscribers.get(connection, found.id)
    assert subscriber is not None  # noqa: S101 - the transaction has it
    return Confirmed(subscriber=subscriber)


def already_confirmed(database: Database, tokens: LinkTokens, token: str, now: datetime) -> Subscriber | None:
    """Return whom a link that was used before confirmed, if they are still subscribed: confirming twice is no error."""
    try:
        subscriber_id, _ = tokens.read_confirm(token, now)
    except TokenError:
        return None
    with database.connect() as connection:
        found = subscribers.get(connection, subscriber_id)
    return found if found is not None and found.state is SubscriberState.ACTIVE else None


def _pending(connection: Connection, tokens: LinkTokens, token: str, now: datetime) -> Confirmation:
    subscriber_id, nonce = tokens.read_confirm(token, now)
    pending = confirmations.find(connection, subscriber_id)
    if pending is None or not hmac.compare_digest(pending.nonce.encode(), nonce.encode()):
        raise TokenError("this confirmation link has already been used")
    return pending


def forget_unconfirmed(database: Database, now: datetime) -> int:
    """Delete sign-ups that were not confirmed in a week; return how many.

    Also delete changes too old to undo, and requests that could not be processed for that long.
    """
    with database.begin() as connection:
        address_requests.expire(connection, now - _FORGET_AFTER)
        address_changes.expire(connection, now - _FORGET_AFTER)
        changes.expire(connection, now - UNDO_WITHIN - timedelta(days=1))
        return confirmations.expire(connection, now - _FORGET_AFTER)
