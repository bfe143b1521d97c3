"""What is stored about a person: shown to them whole (GDPR article 15), and forgotten when they ask (article 17)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from digestmail.errors import SubscriptionError
from digestmail.mail.addresses import key_of
from digestmail.mail.link_tokens import LinkTokens
from digestmail.model.deliveries import NoticeKind
from digestmail.model.subscribers import Preferences, Subscriber, SubscriberState, SuppressionReason
from digestmail.schedule.moments import is_recent
from digestmail.storage import (
    address_changes,
    changes,
    confirmations,
    erasing,
    notices,
    opt_outs,
    settings,
    subscribers,
    suppressions,
)
from digestmail.storage.changes import Change
from digestmail.storage.database import Database
from digestmail.storage.erasing import Bounced, Mailed
from digestmail.storage.opt_outs import OptOut

_ONE_MAIL_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData:
    """Everything that is stored about one person."""

    subscriber: Subscriber
    unconfirmed: Preferences | None
    """What they asked for and have not confirmed."""
    wanted_address: str | None
    """The address they asked to change to and have not confirmed."""
    suppressed: SuppressionReason | None
    changes: tuple[Change, ...]
    """What they had before changes of the last 30 days, which can be undone."""
    left: tuple[OptOut, ...]
    """What they left and when; an empty name stands for everything."""
    mails: tuple[Mailed, ...]
    bounces: tuple[Bounced, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What became of a person's rows: `removed`, or `anonymised` where deliveries hang on them."""

    removed: bool
    deliveries: int
    """Deliveries that stay in the accounts, without a name."""


def export(database: Database, subscriber_id: int) -> PersonalData:
    """Return all that is stored about a person. Raises SubscriptionError when there is nothing."""
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
            mails=erasing.mails_of(connection, subscriber_id),
            bounces=erasing.bounces_of(connection, subscriber_id),
        )


def ask_to_erase(
    database: Database, subscriber_id: int, now: datetime, *, random_token: Callable[[], str]
) -> Erased | None:
    """Erase a person who gets no mail; ask who does by mail first, at most once a day, and return None.

    The link in every mail may be in somebody else's hands, and this cannot be undone. Raises SubscriptionError when
    there is no such person.
    """
    with database.begin() as connection:
        found = subscribers.get(connection, subscriber_id)
        if found is not None and found.state is SubscriberState.ACTIVE:
            asked_at = notices.last_queued(connection, subscriber_id, now, NoticeKind.ERASE)
            if asked_at is None or not is_recent(asked_at, now, _ONE_MAIL_EVERY):
                content = {"asked_at": now.isoformat(), "to": found.address}
                notices.enqueue(connection, subscriber_id, NoticeKind.ERASE, content, now)
            return None
    return erase(database, subscriber_id, now, random_token=random_token)


def to_be_erased(database: Database, links: LinkTokens, token: str, now: datetime) -> Subscriber:
    """Return whom a link would erase, changing nothing.

    Raises TokenError when it is forged or too old, SubscriptionError when nothing is stored about them.
    """
    subscriber_id = links.read_erase(token, now)
    with database.connect() as connection:
        found = subscribers.get(connection, subscriber_id)
    if found is None or erasing.is_erased(found.address):
        raise SubscriptionError("no data is stored about this subscriber")
    return found


def erase(database: Database, subscriber_id: int, now: datetime, *, random_token: Callable[[], str]) -> Erased:
    """Forget a person: of their address only a keyed hash stays, so that no import brings them back.

    An address that was suppressed for another reason stays on that list as a hash under that reason. Raises
    SubscriptionError when there is no such person.
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
        kept = erasing.erase(connection, subscriber_id, now)
    return Erased(removed=kept == 0, deliveries=kept)
