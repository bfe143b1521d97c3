"""Bulk operations of an import: the status of many addresses, and new subscribers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from digestmail.model.subscribers import Consent, Preferences, SubscriberState, Subscription, SuppressionReason
from digestmail.storage import opt_outs, suppressions
from digestmail.storage.schema import subscribers, subscriptions
from digestmail.storage.upsert import chunks, insert
from digestmail.text.addresses import key_of


@dataclass(slots=True, kw_only=True)
class AddressStatus:
    """The status of an address before an import. `state` is None if it is unknown."""

    state: SubscriberState | None = None
    suppressed: SuppressionReason | None = None
    digests: set[str] = field(default_factory=set)
    left: dict[str, datetime] = field(default_factory=dict)
    """When the person unsubscribed, by digest. The empty name means from everything."""

    def opted_out_at(self, digest: str) -> datetime | None:
        """Return when the person last unsubscribed from `digest` or from everything, or None."""
        found = [self.left[name] for name in (digest, opt_outs.EVERYTHING) if name in self.left]
        return max(found, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """A person to add as an active subscriber."""

    address: str
    choices: Preferences
    """Language and time zone. Subscriptions are stored separately."""
    consent: Consent
    created_at: datetime
    paused_until: datetime | None
    was: SubscriberState | None
    """The state before the import; None if the person is unknown."""


def statuses(connection: Connection, keys: Sequence[str]) -> dict[str, AddressStatus]:
    """Return the status of each address key."""
    found = {key: AddressStatus() for key in keys}
    for key, reason in suppressions.among_people(connection, list(found)).items():
        found[key].suppressed = reason
    by_id: dict[int, AddressStatus] = {}
    s, w = subscribers.c, subscriptions.c
    for some in chunks(list(found)):
        for person in connection.execute(select(s.id, s.key, s.state).where(s.key.in_(some))):
            found[person.key].state = SubscriberState(person.state)
            by_id[person.id] = found[person.key]
    for ids in chunks(list(by_id)):
        for one in connection.execute(select(w.subscriber_id, w.digest).where(w.subscriber_id.in_(ids))):
            by_id[one.subscriber_id].digests.add(one.digest)
    for subscriber_id, opt_out in opt_outs.of(connection, list(by_id)):
        by_id[subscriber_id].left[opt_out.digest] = opt_out.opted_out_at
    return found


def add_people(connection: Connection, people: Iterable[NewPerson], now: datetime) -> None:
    """Add active subscribers. People whose state changed in the meantime are not updated."""
    unknown: list[dict[str, Any]] = []
    known: list[dict[str, Any]] = []
    for one in people:
        if one.was is None:
            unknown.append(_values(one, now))
        else:
            known.append(_values(one, now) | {"was": one.was})
    if unknown:
        # With RETURNING, many rows are one statement. Otherwise PostgreSQL gets one for each row.
        statement = insert(connection, subscribers).on_conflict_do_nothing(index_elements=["key"])
        connection.execute(statement.returning(subscribers.c.id), unknown)
    if known:
        _activate(connection, known)


def _activate(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Update people who had not confirmed or had unsubscribed. Address and creation time do not change."""
    changed = [name for name in rows[0] if name not in {"address", "key", "created_at", "was"}]
    statement = (
        update(subscribers)
        .where(subscribers.c.key == bindparam("its_key"), subscribers.c.state == bindparam("its_state"))
        .values({name: bindparam(f"new_{name}") for name in changed})
    )
    connection.execute(
        statement,
        [
            {"its_key": row["key"], "its_state": row["was"], **{f"new_{name}": row[name] for name in changed}}
            for row in rows
        ],
    )


def _values(one: NewPerson, now: datetime) -> dict[str, Any]:
    return {
        "address": one.address,
        "key": key_of(one.address),
        "state": SubscriberState.ACTIVE,
        "language": one.choices.language,
        "timezone": one.choices.timezone,
        "paused_from": now if one.paused_until else None,
        "paused_until": one.paused_until,
        "consent_source": one.consent.source,
        "consent_at": one.consent.at,
        "created_at": one.created_at,
        "updated_at": now,
    }


def subscribe_all(connection: Connection, wanted: Sequence[tuple[str, Subscription]], now: datetime) -> None:
    """Add a subscription to each of these active subscribers. Existing subscriptions are not changed."""
    ids: dict[str, int] = {}
    s = subscribers.c
    for some in chunks(list({key for key, _ in wanted})):
        rows = connection.execute(select(s.key, s.id).where(s.key.in_(some), s.state == SubscriberState.ACTIVE))
        ids.update({row.key: row.id for row in rows})
    values = [
        {
            "digest": one.digest,
            "subscriber_id": ids[key],
            "topics": list(one.topics),
            "hour": one.hour,
            "cadence": one.cadence,
            "cadence_at": now,
            "created_at": now,
        }
        for key, one in wanted
        if key in ids
    ]
    if values:
        statement = insert(connection, subscriptions).on_conflict_do_nothing(index_elements=["digest", "subscriber_id"])
        connection.execute(statement.returning(subscriptions.c.subscriber_id), values)
