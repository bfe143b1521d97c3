"""Exports all data about a person (GDPR article 15), and erases it (article 17)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from digestmail.errors import SubscriptionError
from digestmail.mail.link_tokens import LinkTokens
from digestmail.model.deliveries import NoticeKind
from digestmail.model.personal import Profile, ReadingList
from digestmail.model.subscribers import Feedback, Preferences, Subscriber, SubscriberState, SuppressionReason
from digestmail.schedule.moments import is_recent
from digestmail.storage import (
    address_changes,
    address_requests,
    changes,
    confirmations,
    erasing,
    feedback,
    notices,
    opt_outs,
    profiles,
    reading_lists,
    settings,
    subscribers,
    suppressions,
)
from digestmail.storage.changes import Change
from digestmail.storage.database import Database
from digestmail.storage.erasing import Bounced, Mailed
from digestmail.storage.opt_outs import OptOut
from digestmail.text.addresses import key_of

_REQUEST_INTERVAL = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData:
    """Everything that is stored about one person."""

    subscriber: Subscriber
    unconfirmed: Preferences | None
    """Preferences that are not confirmed yet."""
    wanted_address: str | None
    """A new address that is not confirmed yet."""
    suppressed: SuppressionReason | None
    changes: tuple[Change, ...]
    """The state before changes of the last 30 days, which can be undone."""
    left: tuple[OptOut, ...]
    """When the person unsubscribed. An empty name means from everything."""
    feedback: tuple[Feedback, ...]
    """Which papers the person wants more or fewer of, latest first."""
    profile: Profile | None
    """What the person said about their interests, and the papers of their reading lists."""
    reading_lists: tuple[ReadingList, ...]
    mails: tuple[Mailed, ...]
    bounces: tuple[Bounced, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The result of an erasure: rows are removed, or anonymised if deliveries refer to them."""

    removed: bool
    deliveries: int
    """Deliveries that stay in the statistics, without personal data."""


def export(database: Database, subscriber_id: int) -> PersonalData:
    """Return all data about a person. Raises SubscriptionError if there is none."""
    with database.connect() as connection:
        found = subscribers.get(connection, subscriber_id)
        if found is None:
            raise SubscriptionError("no data is stored about this subscriber")
        pending = confirmations.find(connection, subscriber_id)
        wanted = address_changes.find(connection, subscriber_id)
        return PersonalData(
            subscriber=found,
            unconfirmed=pending.choices if pending else None,
            wanted_address=wanted.address if wanted else None,
            changes=changes.of(connection, subscriber_id),
            suppressed=suppressions.reason_for(connection, key_of(found.address)),
            left=tuple(one for _, one in opt_outs.of(connection, [subscriber_id])),
            feedback=feedback.of(connection, subscriber_id),
            profile=profiles.of(connection, subscriber_id),
            reading_lists=reading_lists.of(connection, subscriber_id),
            mails=erasing.mails_of(connection, subscriber_id),
            bounces=erasing.bounces_of(connection, subscriber_id),
        )


def request_erasure(
    database: Database, subscriber_id: int, now: datetime, *, random_token: Callable[[], str]
) -> Erased | None:
    """Erase a person without active subscriptions. Ask others to confirm by email, at most once a day, and return None.

    Confirmation is required because the link may have been forwarded and erasing cannot be undone. Raises
    SubscriptionError if there is no such person.
    """
    with database.begin() as connection:
        found = subscribers.get(connection, subscriber_id)
        if found is not None and found.state is SubscriberState.ACTIVE:
            asked_at = notices.last_queued(connection, subscriber_id, now, NoticeKind.ERASE)
            if asked_at is None or not is_recent(asked_at, now, _REQUEST_INTERVAL):
                content = {"asked_at": now.isoformat(), "to": found.address}
                notices.enqueue(connection, subscriber_id, NoticeKind.ERASE, content, now)
            return None
    return erase(database, subscriber_id, now, random_token=random_token)


def pending_erasure(database: Database, links: LinkTokens, token: str, now: datetime) -> Subscriber:
    """Return the person that a link erases.

    Raises TokenError if the link is invalid or has expired, SubscriptionError if no data is stored.
    """
    subscriber_id = links.read_erase(token, now)
    with database.connect() as connection:
        found = subscribers.get(connection, subscriber_id)
    if found is None or erasing.is_erased(found.address):
        raise SubscriptionError("no data is stored about this subscriber")
    return found


def erase(database: Database, subscriber_id: int, now: datetime, *, random_token: Callable[[], str]) -> Erased:
    """Erase a person. A keyed hash of the address is kept as a suppression, so that no import adds it again.

    If the address was suppressed for another reason, the hash keeps that reason. Raises SubscriptionError if there is
    no such person.
    """
    with database.begin() as connection:
        found = subscribers.get(connection, subscriber_id)
        if found is None or erasing.is_erased(found.address):
            raise SubscriptionError("no data is stored about this subscriber")
        key = key_of(found.address)
        reason = suppressions.reason_for(connection, key)
        if reason is None:
            suppressed = found.state is SubscriberState.SUPPRESSED
            reason = SuppressionReason.OPERATOR if suppressed else SuppressionReason.ERASED
        hashed = suppressions.hashed(settings.erasure_key(connection, random_token), key)
        suppressions.remove(connection, key, now)
        suppressions.add(connection, hashed, reason, "", now)
        address_requests.forget(connection, subscriber_id, key)
        kept = erasing.erase(connection, subscriber_id, now)
    database.purge()
    return Erased(removed=kept == 0, deliveries=kept)
