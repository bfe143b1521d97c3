"""Publishes what is due: composes each edition and commits it with one delivery for each recipient, the outbox."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, Protocol

from sqlalchemy import Connection

from digestmail.editions.cadence import audience_of, plain_audience, variants
from digestmail.editions.compose import Composed, compose, is_open, read_well
from digestmail.editions.due_time import DueTime
from digestmail.editions.personal import PickedPapers, ReaderPicks
from digestmail.editions.recipients import ReceivedPapers, SegmentAssigner
from digestmail.errors import DigestmailError, StorageError
from digestmail.model.deliveries import Rendered
from digestmail.model.digests import Digest, OnEmpty
from digestmail.model.editions import Edition, Slot
from digestmail.model.reports import DigestReport, PublishReport
from digestmail.model.selection import PersonalSection, Section
from digestmail.schedule.cron import current_slot
from digestmail.selection.segments import for_all_topics, with_picks
from digestmail.storage import audience, deliveries, editions, outputs, received, settings
from digestmail.storage.database import Database

log = logging.getLogger("digestmail.editions")

_CHUNK = 20_000
_HAPPENED: Final = frozenset({"published", "empty", "failed"})


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

    The email with all topics and one with picks are rendered, so that an edition that cannot be rendered is not
    published. Times after `horizon`, if it is known, were written with a clock that was ahead.
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
    has_email = bool(edition.entries or composed.pickable or send_empty)
    sections = for_all_topics(edition)
    rendered = render(edition, sections) if has_email else None
    edition_id = editions.add(connection, edition)
    if edition_id is None and edition.entries:
        return DigestReport(digest=digest.name, status="already-published", slot=slot.key)
    if edition_id is None and composed.pickable:
        edition_id = editions.lock_unsent(connection, digest.name, slot.key)
    if edition_id is None or rendered is None:
        return _report(composed, None, _Queued())
    queued = _enqueue(
        connection, digest, composed, edition_id, queued_at, send_empty=send_empty and not edition.entries
    )
    if queued.example is not None:
        render(edition, with_picks(sections, queued.example, edition.limits.max_papers))
    editions.set_recipients(connection, edition_id, queued.recipients)
    _queue_outputs(connection, digest, edition, edition_id, queued_at)
    return _report(composed, rendered, queued)


def _queue_outputs(connection: Connection, digest: Digest, edition: Edition, edition_id: int, now: datetime) -> None:
    """Queue an edition with papers for the outputs of its digest. Those of variants are for readers only."""
    if edition.entries and digest.name == digest.base:
        outputs.enqueue(connection, edition_id, digest.outputs, now)


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


def _report(composed: Composed, rendered: Rendered | None, queued: _Queued) -> DigestReport:
    edition = composed.edition
    return DigestReport(
        digest=edition.digest,
        status="published" if edition.entries or queued.personal else "empty",
        slot=edition.slot.key,
        papers=sum(len(section.entries) for section in for_all_topics(edition)),
        considered=edition.considered,
        outcomes=dict(Counter(str(decision.outcome) for decision in composed.selection.decisions)),
        shortened=rendered.shortened if rendered else 0,
        recipients=queued.recipients,
        personal=queued.personal,
        nothing_for=queued.nothing_for,
        reason=edition.reason,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queued:
    """What was queued for an edition."""

    recipients: int = 0
    personal: int = 0
    """Recipients for whom papers were picked."""
    nothing_for: int = 0
    """Subscribers without papers."""
    example: PersonalSection | None = None
    """The section "For you" of one of them."""


def _enqueue(
    connection: Connection, digest: Digest, composed: Composed, edition_id: int, now: datetime, *, send_empty: bool
) -> _Queued:
    """Queue a delivery for each subscriber with papers; with `send_empty`, also for the others."""
    edition = composed.edition
    assigner = SegmentAssigner(connection, edition, edition_id, personal=digest.personal, empty=send_empty)
    readers = ReaderPicks(connection, digest, edition, composed.pickable)
    picked = PickedPapers(edition, composed.pickable)
    paper_ids = [entry.paper.id for entry in (composed.pickable if readers.possible else edition.entries)]
    before = received.earlier(connection, paper_ids, digest, edition_id)
    whom = audience_of(connection, digest, edition.slot, edition.composed_at)
    received_papers = ReceivedPapers(received.of_everyone(connection, before, audience.ids_of(whom, now)))
    due = DueTime(digest.schedule.timezone, now)
    people = audience.wanted_by(connection, whom, now, lock=True)
    recipients = personal = total = 0
    while chunk := list(islice(people, _CHUNK)):
        total += len(chunk)
        got = {subscriber_id: received_papers.by(subscriber_id) for subscriber_id, _ in chunk}
        packed = {reader: picked.packed(reader, found) for reader, found in readers.pick(got)}
        rows = [
            (subscriber_id, segment_id, due.at(wanted.hour, wanted.timezone))
            for subscriber_id, wanted in chunk
            if (segment_id := assigner.segment_for(wanted, got[subscriber_id], picked=subscriber_id in packed))
            is not None
        ]
        picked.store(connection, edition_id)
        recipients += deliveries.enqueue(connection, rows, edition_id, packed)
        personal += len(packed)
    return _Queued(recipients=recipients, personal=personal, nothing_for=total - recipients, example=picked.first)
