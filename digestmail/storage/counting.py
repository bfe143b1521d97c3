"""Count a bounce, and decide what follows: a suppression, or none because the whole domain blocks us.

Every door counts by this: mailboxes, the listener, webhooks, and the ledger with what a server refused in the dialogue.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from digestmail.domainblocks import FEWEST, WINDOW, DomainBlock, enough_to_know, is_block, is_worth_counting
from digestmail.model import BounceEvent, BounceKind, SuppressionReason
from digestmail.scoring import Scoring, is_enough, score
from digestmail.storage import bounces, suppressions
from digestmail.storage.bounces import Alike


class Recorded(StrEnum):
    """What became of one event."""

    COUNTED = "counted"
    SUPPRESSED = "suppressed"
    """Counted, and enough: nothing is sent to this subscriber any more."""
    BLOCKED = "blocked"
    """One of so many alike that the domain blocks us: it weighs nothing."""
    REPEATED = "repeated"
    """The same report was counted before."""
    UNKNOWN = "unknown"
    """There is no such subscriber (any more), or the mail went to an address they have changed since."""


def count(connection: Connection, event: BounceEvent, now: datetime, scoring: Scoring) -> Recorded:
    """Count one report about a subscriber, and suppress their address if it is enough.

    A complaint is enough by itself; a refusal that is one of a block is not, and takes back the suppressions the block
    has brought so far.
    """
    key = bounces.whose(connection, event.subscriber_id)
    if key is None:
        return Recorded.UNKNOWN
    if event.kind is not BounceKind.COMPLAINT and bounces.is_of_earlier_address(connection, event, now):
        return Recorded.UNKNOWN
    alike = bounces.add(connection, event, key, now)
    return Recorded.REPEATED if alike is None else _follow(connection, event, key, alike, now, scoring)


def _follow(
    connection: Connection, event: BounceEvent, key: str, alike: Alike, now: datetime, scoring: Scoring
) -> Recorded:
    """Decide what follows of a report that was not known."""
    if event.kind is BounceKind.COMPLAINT:
        return _suppress(connection, event, key, SuppressionReason.COMPLAINED, now)
    if event.kind is BounceKind.OURS:
        return Recorded.COUNTED
    if _is_of_a_block(connection, alike, now):
        _hold(connection, alike, now, scoring)
        return Recorded.BLOCKED
    if is_enough(score(bounces.of_subscriber(connection, event.subscriber_id), now, scoring), scoring):
        return _suppress(connection, event, key, SuppressionReason.BOUNCED, now)
    return Recorded.COUNTED


def _suppress(
    connection: Connection, event: BounceEvent, key: str, reason: SuppressionReason, now: datetime
) -> Recorded:
    if key in suppressions.among(connection, [key]):
        return Recorded.COUNTED
    detail = " ".join(filter(None, (event.status, event.detail)))
    suppressions.add(connection, key, reason, detail, now)
    return Recorded.SUPPRESSED


def hold_blocks(connection: Connection, now: datetime, scoring: Scoring) -> tuple[DomainBlock, ...]:
    """Find the blocks of the last day, take back what they suppressed, and return them, the latest first.

    `count` looks at growing distances, so this is called once more when a mailbox or the outbox is done.
    """
    found = _find(connection, now)
    for alike, _ in found:
        _hold(connection, alike, now, scoring)
    return tuple(block for _, block in found)


def list_blocks(connection: Connection, now: datetime) -> tuple[DomainBlock, ...]:
    """Return the blocks of the last day, the latest first."""
    return tuple(block for _, block in _find(connection, now))


def _is_of_a_block(connection: Connection, alike: Alike, now: datetime) -> bool:
    since = now - WINDOW
    refused, held = bounces.count_alike(connection, alike, since)
    if held:
        return True
    return is_worth_counting(refused) and is_block(refused, _mailed(connection, alike, refused, since))


def _mailed(connection: Connection, alike: Alike, refused: int, since: datetime) -> int:
    return max(refused, bounces.count_mailed(connection, alike, since, enough_to_know(refused)))


def _hold(connection: Connection, alike: Alike, now: datetime, scoring: Scoring) -> None:
    since = now - WINDOW
    for subscriber_id in bounces.hold(connection, alike, since):
        if not is_enough(score(bounces.of_subscriber(connection, subscriber_id), now, scoring), scoring):
            suppressions.take_back(connection, subscriber_id, since, now)


def _find(connection: Connection, now: datetime) -> list[tuple[Alike, DomainBlock]]:
    since = now - WINDOW
    found = []
    for alike in bounces.list_alike(connection, since, FEWEST):
        mailed = _mailed(connection, alike, alike.readers, since)
        if is_block(alike.readers, mailed):
            text = bounces.last_text(connection, alike, since)
            block = DomainBlock(domain=alike.domain, refused=alike.readers, mailed=mailed, text=text, at=alike.last_at)
            found.append((alike, block))
    return found
