"""Every text column of the database, and how erasing removes a person's address from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update

from digestmail.storage import idempotency
from digestmail.storage.schema import address_changes, changes, incidents, notices, rates, runs, subscribers


class Kept(StrEnum):
    """What a text column may contain about a person."""

    ROW = "row"
    """Text about the person that the row belongs to. Erasing deletes the row or empties the column."""
    MENTION = "mention"
    """Text that may mention an address, in a row that belongs to no person. Erasing searches the column for it."""
    HASH = "hash"
    """The address or, after erasing, a keyed hash of it."""
    NOTHING = "nothing"
    """No address of a subscriber: codes, names from the configuration, and what sources publish."""


TEXT_COLUMNS: Final[Mapping[str, Mapping[str, Kept]]] = {
    "address_changes": {"nonce": Kept.NOTHING, "address": Kept.ROW},
    "address_requests": {"address": Kept.ROW, "key": Kept.ROW, "choices": Kept.ROW},
    "api_usage": {"service": Kept.NOTHING},
    "attempts": {"state": Kept.NOTHING, "text": Kept.ROW},
    "bounces": {
        # A hash of the report with numbers.
        "report": Kept.NOTHING,
        "kind": Kept.NOTHING,
        "status": Kept.ROW,
        "detail": Kept.ROW,
        "domain": Kept.ROW,
        "reason": Kept.ROW,
    },
    "changes": {"before": Kept.ROW},
    "confirmations": {"nonce": Kept.NOTHING, "choices": Kept.ROW},
    "connection_leases": {"key": Kept.NOTHING, "worker": Kept.NOTHING},
    "deliveries": {"state": Kept.NOTHING, "text": Kept.ROW},
    # Only domains with so many messages that the name says nothing about a person.
    "domain_days": {"domain": Kept.NOTHING},
    "edition_papers": {"digest": Kept.NOTHING, "topic": Kept.NOTHING},
    "editions": dict.fromkeys(("digest", "base", "slot", "content", "reason"), Kept.NOTHING),
    "host_limits": {"host": Kept.NOTHING},
    # `request` is a hash without a key, so an address could be guessed from it.
    "idempotency_keys": {"key": Kept.MENTION, "request": Kept.MENTION, "response": Kept.MENTION},
    "notice_attempts": {"state": Kept.NOTHING, "text": Kept.ROW},
    "notices": {"kind": Kept.NOTHING, "content": Kept.ROW, "state": Kept.NOTHING, "text": Kept.ROW},
    # No user name: `account` is a hash of it and of other things.
    "oauth_tokens": dict.fromkeys(("server", "account", "access_token", "refresh_token"), Kept.NOTHING),
    "opt_outs": {"digest": Kept.NOTHING},
    # `text` and `reason` are what a server said about an edition, which contains nothing about readers.
    "output_attempts": {"state": Kept.NOTHING, "text": Kept.NOTHING},
    "output_deliveries": dict.fromkeys(("output", "destination", "token", "state", "text"), Kept.NOTHING),
    "paper_aliases": {"alias": Kept.NOTHING},
    "paper_embeddings": {"model": Kept.NOTHING},
    "paper_records": dict.fromkeys(("source", "venue", "url"), Kept.NOTHING),
    "paper_summaries": dict.fromkeys(
        ("language", "model", "text_hash", "sentence", "points", "problem"), Kept.NOTHING
    ),
    "papers": dict.fromkeys(
        (
            "key", "title", "abstract", "raw_title", "raw_abstract", "authors", "categories", "keywords", "link",
            "summary", "organization", "comment", "discussion_url", "code_url", "project_url", "thumbnail_url",
        ),
        Kept.NOTHING,
    ),
    # The title of a paper that a reader may be the only one to know; erasing deletes the row.
    "pick_reasons": {"kind": Kept.NOTHING, "title": Kept.ROW, "names": Kept.NOTHING},
    "picked_papers": {"content": Kept.NOTHING},
    "profiles": {"interests": Kept.ROW, "authors": Kept.ROW, "blocked_words": Kept.ROW},
    "qualified_papers": {"topic": Kept.NOTHING},
    # `reason` is the reply that made a relay pause.
    "rates": {"key": Kept.NOTHING, "reason": Kept.MENTION},
    "reading_list_papers": {"title": Kept.ROW, "abstract": Kept.ROW},
    "reading_lists": {
        "kind": Kept.NOTHING,
        "reference": Kept.ROW,
        "problem": Kept.ROW,
        "validator": Kept.NOTHING,
    },
    # A problem may quote the reply of a server.
    "incidents": {"key": Kept.MENTION, "text": Kept.MENTION},
    # `detail` may be the reply of a server.
    "runs": {"outcome": Kept.NOTHING, "detail": Kept.MENTION},
    "segments": {"topics": Kept.NOTHING, "more": Kept.NOTHING, "language": Kept.NOTHING},
    "servers": {"server": Kept.NOTHING, "face": Kept.NOTHING, "manner": Kept.NOTHING},
    "settings": {"name": Kept.NOTHING, "value": Kept.NOTHING},
    "sightings": {"source": Kept.NOTHING, "announce_type": Kept.NOTHING},
    "topic_models": {"fingerprint": Kept.NOTHING, "model": Kept.NOTHING},
    "source_days": {"source": Kept.NOTHING},
    "source_health": dict.fromkeys(("source", "category", "health", "detail", "parked_address"), Kept.NOTHING),
    "sources": {"name": Kept.NOTHING},
    "stopped_outputs": dict.fromkeys(("output", "destination", "reason"), Kept.NOTHING),
    "subscribers": {
        "address": Kept.ROW,
        "key": Kept.ROW,
        "state": Kept.NOTHING,
        "language": Kept.ROW,
        "timezone": Kept.ROW,
        "consent_source": Kept.ROW,
    },
    "subscriptions": {"digest": Kept.NOTHING, "topics": Kept.ROW, "cadence": Kept.NOTHING},
    "suppressions": {"key": Kept.HASH, "reason": Kept.NOTHING, "detail": Kept.HASH},
    "unsubscribe_mails": {"report": Kept.NOTHING},
    "validators": {
        "source": Kept.NOTHING,
        "url": Kept.NOTHING,
        "etag": Kept.NOTHING,
        "last_modified": Kept.NOTHING,
        "version": Kept.NOTHING,
    },
    "workers": {"name": Kept.NOTHING, "machine": Kept.NOTHING, "started": Kept.NOTHING},
}  # fmt: skip
"""All columns of type text or JSON, by table. A test compares it with the schema."""


def addresses_of(connection: Connection, subscriber_id: int) -> frozenset[str]:
    """Return the addresses of a person that are stored: the current one, earlier ones, and ones to be confirmed."""
    s, a, c, n = subscribers.c, address_changes.c, changes.c, notices.c
    found = set(connection.execute(select(s.address).where(s.id == subscriber_id)).scalars())
    found.update(connection.execute(select(a.address).where(a.subscriber_id == subscriber_id)).scalars())
    for column, owner in ((c.before, c.subscriber_id), (n.content, n.subscriber_id)):
        for stored in connection.execute(select(column).where(owner == subscriber_id)).scalars():
            found.update(text for text in _texts(stored) if "@" in text and " " not in text)
    return frozenset(found)


def forget_mentions(connection: Connection, addresses: Collection[str]) -> None:
    """Remove what mentions one of `addresses` from the rows that belong to no person."""
    idempotency.forget(connection, addresses)
    for row in connection.execute(select(incidents)).all():
        if idempotency.mentions(f"{row.key} {row.text}", addresses):
            connection.execute(delete(incidents).where(incidents.c.key == row.key))
    for key, mention in ((rates.c.key, rates.c.reason), (runs.c.id, runs.c.detail)):
        rows = connection.execute(select(key, mention).where(mention.is_not(None), mention != "")).all()
        for owner, found in rows:
            if idempotency.mentions(found, addresses):
                connection.execute(update(mention.table).where(key == owner).values({mention: "(erased)"}))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]
