"""Publishes what is due: composes each edition and commits it with one delivery for each recipient, the outbox."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from itertools import groupby, islice
from math import inf
from typing import Final, Protocol

from sqlalchemy import Connection

from digestmail.editions.cadence import audience_of, plain_audience, variants
from digestmail.editions.compose import Composed, compose, is_open, read_well
from digestmail.editions.due_time import DueTime
from digestmail.errors import DigestmailError, StorageError
from digestmail.model.deliveries import Rendered
from digestmail.model.digests import Digest, OnEmpty
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import PaperId
from digestmail.model.reports import DigestReport, PublishReport
from digestmail.model.selection import Section
from digestmail.schedule.cron import current_slot
from digestmail.selection.segments import for_all_topics, for_segment
from digestmail.storage import audience, deliveries, editions, settings
from digestmail.storage.audience import RecipientChoices
from digestmail.storage.database import Database

log = logging.getLogger("digestmail.editions")

_CHUNK = 20_000
_HAPPENED: Final = frozenset({"published", "empty", "failed"})
_NOTHING: Final[frozenset[int]] = frozenset()
_NO_MORE: Final[tuple[float, Iterator[tuple[int, int]]]] = (inf, iter(()))
"""Sorts after the last subscriber."""


class Render(Protocol):
    """Renders the sections of an edition."""

    def __call__(self, edition: Edition, sections: tuple[Section, ...], *, language: str | None = None) -> Rendered:
        """Render `sections` of `edition`, in the digest's language if `language` is None. Raises RenderError."""
        ...


def publish(
    database: Database,
    digests: Sequence[Digest],
    render: Render,
    now: datetime,
    *,
    queued_at: datetime | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> PublishReport:
    """Publish every digest with a due, open slot, and its variants, each in one transaction.

    `stop` is checked between them. `now` determines what is due.
    `queued_at` is the real time, at which deliveries become due (default: `now`).
    """
    horizon = _horizon(now, queued_at)
    return _publish_each(
        digests,
        lambda digest: variants(database.begin, digest, now, max(now, queued_at or now)),
        database.begin,
        lambda connection, one: publish_one(connection, one, render, now, queued_at or now, horizon),
        stop=stop,
    )


def dry_run_publish(
    connection: Connection, digests: Sequence[Digest], render: Render, now: datetime, queued_at: datetime | None = None
) -> PublishReport:
    """Like `publish`, but in the caller's transaction, which must be rolled back."""
    horizon = _horizon(now, queued_at)

    @contextmanager
    def nested() -> Iterator[Connection]:
        with connection.begin_nested():
            yield connection

    return _publish_each(
        digests,
        lambda digest: variants(nested, digest, now, max(now, queued_at or now)),
        nested,
        lambda inner, one: publish_one(inner, one, render, now, queued_at or now, horizon),
    )


def _publish_each(
    digests: Sequence[Digest],
    variants_of: Callable[[Digest], Iterator[Digest]],
    begin: Callable[[], AbstractContextManager[Connection]],
    publish_it: Callable[[Connection, Digest], DigestReport],
    *,
    stop: Callable[[], bool] = lambda: False,
) -> PublishReport:
    reports = (
        report for digest in digests for report in _publish_variants(digest, variants_of, begin, publish_it, stop=stop)
    )
    return PublishReport(digests=tuple(reports))


def _publish_variants(
    digest: Digest,
    variants_of: Callable[[Digest], Iterator[Digest]],
    begin: Callable[[], AbstractContextManager[Connection]],
    publish_it: Callable[[Connection, Digest], DigestReport],
    *,
    stop: Callable[[], bool],
) -> Iterator[DigestReport]:
    """Publish a digest and its variants, each in a transaction; yield their reports. Idle variants have none."""
    if stop():
        return
    one = digest
    try:
        for one in variants_of(digest):
            if one is not digest and stop():
                return
            try:
                with begin() as connection:
                    report = publish_it(connection, one)
            except Exception as error:  # noqa: BLE001 - one digest must never stop the others
                report = _failed(one, error)
            if one is digest or report.status in _HAPPENED:
                yield report
    except StorageError as error:
        yield _failed(one, error)


def _failed(digest: Digest, error: Exception) -> DigestReport:
    reason = str(error)
    if not isinstance(error, DigestmailError):
        log.error("digest %s cannot be published", digest.name, exc_info=error)
        reason = f"unexpected {type(error).__name__}: {error}"
    return DigestReport(digest=digest.name, status="failed", reason=reason)


def is_waiting(database: Database, digest: Digest, now: datetime, horizon: datetime) -> bool:
    """Return whether the next run publishes `digest` at once: its slot has begun, and no run has come to it yet.

    A variant also needs readers who chose it before.
    """
    slot = current_slot(digest.schedule, now)
    if slot is None:
        return False
    with database.connect() as connection:
        return (
            editions.get(connection, digest.name, slot.key) is None
            and is_open(connection, digest, slot, now, horizon)
            and (digest.name == digest.base or audience.is_wanted(connection, plain_audience(digest, slot), horizon))
        )


def _horizon(now: datetime, real_now: datetime | None) -> datetime | None:
    """Return the latest possible time, or None in a replay."""
    return None if real_now is None else max(now, real_now)


def publish_one(
    connection: Connection,
    digest: Digest,
    render: Render,
    now: datetime,
    queued_at: datetime,
    horizon: datetime | None = None,
) -> DigestReport:
    """Publish `digest` if it is due, in the caller's transaction. Its deliveries are due from `queued_at`.

    The email with all topics is rendered first, so that an edition that cannot be rendered is not published. Times
    after `horizon`, if it is known, were written with a clock that was ahead.
    """
    if horizon is not None:
        settings.limit_restored_at(connection, horizon)
    slot = current_slot(digest.schedule, now)
    if slot is None or not is_open(connection, digest, slot, now, horizon):
        return _not_now(connection, digest, slot, horizon)
    composed = compose(connection, digest, slot, now, horizon)
    edition = composed.edition
    # An empty edition is only recorded if every source was read. Otherwise the slot stays open.
    send_empty = digest.on_empty is OnEmpty.SEND and read_well(connection, digest)
    rendered = render(edition, for_all_topics(edition)) if edition.entries or send_empty else None
    edition_id = editions.add(connection, edition)
    if edition_id is None and edition.entries:
        return DigestReport(digest=digest.name, status="already-published", slot=slot.key)
    if edition_id is None or rendered is None:
        return _report(composed, None, 0, 0)
    recipients, nothing_for = _enqueue(connection, digest, edition, edition_id, queued_at)
    editions.set_recipients(connection, edition_id, recipients)
    return _report(composed, rendered, recipients, nothing_for)


def _not_now(connection: Connection, digest: Digest, slot: Slot | None, horizon: datetime | None) -> DigestReport:
    """Return the status of a digest that is not published: not due, already published, or empty."""
    stored = editions.get(connection, digest.name, slot.key) if slot else None
    if slot is not None and stored is None and editions.is_out(connection, digest.name, slot.key, slot.at, horizon):
        return DigestReport(digest=digest.name, status="already-published", slot=slot.key, reason="a later one is out")
    if slot is None or stored is None:
        return DigestReport(digest=digest.name, status="not-due")
    if stored.edition.entries or editions.is_out(connection, digest.name, slot.key, slot.at, horizon):
        return DigestReport(digest=digest.name, status="already-published", slot=slot.key)
    return DigestReport(digest=digest.name, status="empty", slot=slot.key, reason=stored.edition.reason)


def _report(composed: Composed, rendered: Rendered | None, recipients: int, nothing_for: int) -> DigestReport:
    edition = composed.edition
    return DigestReport(
        digest=edition.digest,
        status="published" if edition.entries else "empty",
        slot=edition.slot.key,
        papers=sum(len(section.entries) for section in for_all_topics(edition)),
        considered=edition.considered,
        outcomes=dict(Counter(str(decision.outcome) for decision in composed.selection.decisions)),
        shortened=rendered.shortened if rendered else 0,
        recipients=recipients,
        nothing_for=nothing_for,
        reason=edition.reason,
    )


def _enqueue(
    connection: Connection, digest: Digest, edition: Edition, edition_id: int, now: datetime
) -> tuple[int, int]:
    """Queue a delivery for each subscriber with papers; return (recipients, subscribers without papers)."""
    sorter = _Sorter(connection, digest, edition, edition_id)
    due = DueTime(digest.schedule.timezone, now)
    readers = audience_of(connection, digest, edition.slot, edition.composed_at)
    people = audience.wanted_by(connection, readers, now)
    received = _Received(editions.received(connection, sorter.prior, audience.ids_of(readers, now)))
    recipients = total = 0
    while chunk := list(islice(people, _CHUNK)):
        total += len(chunk)
        rows = [
            (subscriber_id, segment_id, due.at(wanted.hour, wanted.timezone))
            for subscriber_id, wanted in chunk
            if (segment_id := sorter.segment_for(wanted, received.by(subscriber_id))) is not None
        ]
        recipients += deliveries.enqueue(connection, rows, edition_id)
    return recipients, total - recipients


class _Received:
    """The earlier segments of each subscriber, requested in the order of their ids."""

    def __init__(self, rows: Iterator[tuple[int, int]]) -> None:
        self._groups = groupby(rows, key=lambda row: row[0])
        self._current_id: float
        self._rows: Iterator[tuple[int, int]]
        self._current_id, self._rows = next(self._groups, _NO_MORE)

    def by(self, subscriber_id: int) -> frozenset[int]:
        """Return the segments that `subscriber_id` received."""
        while self._current_id < subscriber_id:
            self._current_id, self._rows = next(self._groups, _NO_MORE)
        return frozenset(segment for _, segment in self._rows) if self._current_id == subscriber_id else _NOTHING


class _Sorter:
    """Assigns subscribers with the same content to the same segment, which is created when first needed."""

    def __init__(self, connection: Connection, digest: Digest, edition: Edition, edition_id: int) -> None:
        self._connection = connection
        self._edition = edition
        self._edition_id = edition_id
        self._segments: dict[tuple[tuple[str, ...], str | None, frozenset[PaperId]], int | None] = {}
        self._quick: dict[int, tuple[RecipientChoices, int | None]] = {}
        paper_ids = [entry.paper.id for entry in edition.entries]
        self.prior = editions.prior_segments(connection, paper_ids, digest.name, digest.allow_repeats_of)

    def segment_for(self, wanted: RecipientChoices, received: frozenset[int]) -> int | None:
        """Return the segment for these preferences and earlier segments; None if no papers are left."""
        if received:
            return self._look_up(wanted, received)
        # Equal preferences are the same object, so most lookups are by identity. The pair keeps the object alive.
        quick = self._quick.get(id(wanted))
        if quick is None:
            quick = self._quick[id(wanted)] = (wanted, self._look_up(wanted, received))
        return quick[1]

    def _look_up(self, wanted: RecipientChoices, received: frozenset[int]) -> int | None:
        without = frozenset[PaperId]().union(*(self.prior[segment] for segment in received))
        key = (wanted.topics, wanted.language, without)
        if key not in self._segments:
            self._segments[key] = self._make(*key)
        return self._segments[key]

    def _make(self, topics: tuple[str, ...], language: str | None, without: frozenset[PaperId]) -> int | None:
        sections = for_segment(self._edition, topics, without)
        if self._edition.entries and not sections:
            return None
        return editions.add_segment(self._connection, self._edition_id, topics, sections, language)
