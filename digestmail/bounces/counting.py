"""Counts a bounce and suppresses its address if necessary, unless the entire domain blocks us.

Used for every kind of bounce: from mailboxes, the listener, webhooks, and replies during delivery.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from digestmail.bounces.domain_blocks import FEWEST, enough_to_know, is_block, is_worth_counting
from digestmail.bounces.score import Scoring, reaches_threshold, score
from digestmail.model.subscribers import BounceEvent, BounceKind, DomainBlock, SuppressionReason
from digestmail.storage import bounces, suppressions
from digestmail.storage.bounces import WINDOW, RefusalGroup
from digestmail.storage.erasing import is_erased


class Recorded(StrEnum):
    """The outcome of one event."""

    COUNTED = "counted"
    SUPPRESSED = "suppressed"
    """Counted, and the address is now suppressed."""
    BLOCKED = "blocked"
    """Part of a block by the recipient's domain, so it does not count against the address."""
    REPEATED = "repeated"
    """The report was counted before."""
    UNKNOWN = "unknown"
    """The subscriber does not exist or was erased, or has changed their address since the message was sent."""


def count(connection: Connection, event: BounceEvent, now: datetime, scoring: Scoring) -> Recorded:
    """Count one report about a subscriber, and suppress their address if the threshold is reached.

    A single complaint suppresses an address. A refusal that is part of a block does not, and the suppressions that the
    block has caused so far are lifted.
    """
    key = bounces.lock_address_key(connection, event.subscriber_id)
    if key is None or is_erased(key):
        return Recorded.UNKNOWN
    if event.kind is not BounceKind.COMPLAINT and bounces.is_of_earlier_address(connection, event, now):
        return Recorded.UNKNOWN
    group = bounces.add(connection, event, key, now)
    return Recorded.REPEATED if group is None else _apply(connection, event, key, group, now, scoring)


def _apply(
    connection: Connection, event: BounceEvent, key: str, group: RefusalGroup, now: datetime, scoring: Scoring
) -> Recorded:
    """Apply a report that was not counted before."""
    if event.kind is BounceKind.COMPLAINT:
        return _suppress(connection, event, key, SuppressionReason.COMPLAINED, now)
    if event.kind is BounceKind.SENDER_FAULT:
        return Recorded.COUNTED
    if _is_block(connection, group, now):
        _hold(connection, group, now, scoring)
        return Recorded.BLOCKED
    if reaches_threshold(score(bounces.of_subscriber(connection, event.subscriber_id), now, scoring), scoring):
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
    """Find the blocks of the last day, lift the suppressions they caused, and return them, latest first.

    `count` does not check after every bounce, so call this when a mailbox or the outbox is done.
    """
    found = _find(connection, now)
    for group, _ in found:
        _hold(connection, group, now, scoring)
    return tuple(block for _, block in found)


def list_blocks(connection: Connection, now: datetime) -> tuple[DomainBlock, ...]:
    """Return the blocks of the last day, latest first."""
    return tuple(block for _, block in _find(connection, now))


def _is_block(connection: Connection, group: RefusalGroup, now: datetime) -> bool:
    since = now - WINDOW
    refused, held = bounces.count_refused(connection, group, since)
    if held:
        return True
    return is_worth_counting(refused) and is_block(refused, _mailed(connection, group, refused, since))


def _mailed(connection: Connection, group: RefusalGroup, refused: int, since: datetime) -> int:
    return max(refused, bounces.count_mailed(connection, group, since, enough_to_know(refused)))


def _hold(connection: Connection, group: RefusalGroup, now: datetime, scoring: Scoring) -> None:
    since = now - WINDOW
    for subscriber_id in bounces.hold(connection, group, since):
        if not reaches_threshold(score(bounces.of_subscriber(connection, subscriber_id), now, scoring), scoring):
            suppressions.lift_since(connection, subscriber_id, since, now)


def _find(connection: Connection, now: datetime) -> list[tuple[RefusalGroup, DomainBlock]]:
    since = now - WINDOW
    found = []
    for group in bounces.list_groups(connection, since, FEWEST):
        mailed = _mailed(connection, group, group.readers, since)
        if is_block(group.readers, mailed):
            text = bounces.last_text(connection, group, since)
            block = DomainBlock(domain=group.domain, refused=group.readers, mailed=mailed, text=text, at=group.last_at)
            found.append((group, block))
    return found
