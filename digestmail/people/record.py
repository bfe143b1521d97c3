"""What is stored about a person: shown to them whole (GDPR article 15), and forgotten when they ask (article 17)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from digestmail.addresses import key_of
from digestmail.errors import SubscriptionError
from digestmail.model import Choices, Subscriber, SubscriberState, SuppressionReason
from digestmail.storage import confirmations, departures, erasing, settings, subscribers, suppressions
from digestmail.storage.database import Database
from digestmail.storage.departures import Departure
from digestmail.storage.erasing import Bounced, Mailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that is stored about one person."""

    subscriber: Subscriber
    unconfirmed: Choices | None
    """What they asked for and have not confirmed."""
    suppressed: SuppressionReason | None
    left: tuple[Departure, ...]
    """What they left and when; an empty name stands for everything."""
    mails: tuple[Mailed, ...]
    bounces: tuple[Bounced, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What became of a person's rows: `removed`, or `anonymised` where deliveries hang on them."""

    removed: bool
    deliveries: int
    """Deliveries that stay in the accounts, without a name."""


def export(database: Database, subscriber_id: int) -> Record:
    """Return all that is stored about a person. Raises SubscriptionError when there is nothing."""
    with database.connect() as connection:
        found = subscribers.get(connection, subscriber_id)
        if found is None:
            raise SubscriptionError("nothing is stored about this person")
        pending = confirmations.find(connection, subscriber_id)
        return Record(
            subscriber=found,
            unconfirmed=pending.choices if pending else None,
            suppressed=suppressions.reason_for(connection, key_of(found.address)),
            left=tuple(one for _, one in departures.of(connection, [subscriber_id])),
            mails=erasing.mails_of(connection, subscriber_id),
            bounces=erasing.bounces_of(connection, subscriber_id),
        )


def erase(database: Database, subscriber_id: int, now: datetime, *, random_token: Callable[[], str]) -> Erased:
    """Forget a person: of their address only a keyed hash stays, so that no import brings them back.

    An address that was suppressed for another reason stays on that list as a hash under that reason. Raises
    SubscriptionError when there is no such person.
    """
    with database.begin() as connection:
        found = subscribers.get(connection, subscriber_id)
        if found is None or erasing.is_erased(found.address):
            raise SubscriptionError("nothing is stored about this person")
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
