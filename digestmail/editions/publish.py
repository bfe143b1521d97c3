"""Publishes what is due: composes each edition and commits it with one delivery for each recipient, the outbox."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import Connection

from digestmail.editions.cadence import Issue, plain_audience, variants
from digestmail.editions.compose import Composed, compose, is_open, read_well
from digestmail.editions.due_time import DueTime
from digestmail.editions.enqueue import Queued, enqueue
from digestmail.editions.gate import composed_after, gate_of, is_gated, waiting_sentence
from digestmail.editions.missed import missed_slots
from digestmail.errors import DigestmailError, StorageError
from digestmail.model.deliveries import Rendered
from digestmail.model.digests import Digest, OnEmpty
from digestmail.model.editions import Edition, Slot
from digestmail.model.reports import DigestReport, PublishReport
from digestmail.model.selection import Section
from digestmail.schedule.cron import current_slot, next_fire
from digestmail.schedule.gate import Gate
from digestmail.selection.segments import for_all_topics, paper_count, with_picks
from digestmail.storage import audience, editions, outputs, settings
from digestmail.storage.database import Database

log = logging.getLogger("digestmail.editions")

_HAPPENED: Final = frozenset({"published", "empty", "failed"})
_DAY = timedelta(days=1)
_NOTHING_QUEUED = Queued()


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
    on_queued: Callable[[Connection], None] = lambda _: None,
) -> PublishReport:
    """Publish every digest with a due, open slot, and its variants, each in one transaction.

    `stop` is checked between them. `now` determines what is due.
    `queued_at` is the real time, at which deliveries become due (default: `now`).
    `on_queued` is called at the end of a transaction that queued deliveries.
    """
    horizon = _horizon(now, queued_at)

    def publish_it(connection: Connection, one: Issue) -> DigestReport:
        report = publish_one(connection, one.digest, render, now, queued_at or now, horizon, slot=one.slot)
        if report.recipients:
            on_queued(connection)
        return report

    return _publish_each(
        digests,
        lambda digest: variants(database.begin, digest, now, max(now, queued_at or now)),
        database.begin,
        publish_it,
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
        lambda inner, one: publish_one(inner, one.digest, render, now, queued_at or now, horizon, slot=one.slot),
    )


def _publish_each(
    digests: Sequence[Digest],
    variants_of: Callable[[Digest], Iterator[Issue]],
    begin: Callable[[], AbstractContextManager[Connection]],
    publish_it: Callable[[Connection, Issue], DigestReport],
    *,
    stop: Callable[[], bool] = lambda: False,
) -> PublishReport:
    reports = (
        report for digest in digests for report in _publish_variants(digest, variants_of, begin, publish_it, stop=stop)
    )
    return PublishReport(digests=tuple(reports))


def _publish_variants(
    digest: Digest,
    variants_of: Callable[[Digest], Iterator[Issue]],
    begin: Callable[[], AbstractContextManager[Connection]],
    publish_it: Callable[[Connection, Issue], DigestReport],
    *,
    stop: Callable[[], bool],
) -> Iterator[DigestReport]:
    """Publish a digest and its variants, each in a transaction; yield their reports. Idle variants have none."""
    if stop():
        return
    one = digest
    try:
        for number, issue in enumerate(variants_of(digest)):
            one = issue.digest
            if number and stop():
                return
            try:
                with begin() as connection:
                    report = publish_it(connection, issue)
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
            editions.outcome(connection, digest.name, slot.key) is None
            and not is_gated(gate_of(connection, digest, slot, now), now)
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
    *,
    slot: Slot | None = None,
) -> DigestReport:
    """Publish `digest` if it is due, in the caller's transaction. Its deliveries are due from `queued_at`.

    `slot` is the current one by default; an earlier one must be among `due_slots`, or that of a catch-up edition.
    The email with all topics and one with picks are rendered, so that an edition that cannot be rendered is not
    published. Times after `horizon`, if it is known, were written with a clock that was ahead.
    """
    if horizon is not None:
        settings.limit_restored_at(connection, horizon)
    current = current_slot(digest.schedule, now)
    slot = slot or current
    if slot is None or current is None or not is_open(connection, digest, slot, now, horizon, late=slot != current):
        return replace(_not_now(connection, digest, slot, horizon), next_at=next_fire(digest.schedule, now))
    gate = gate_of(connection, digest, slot, now) if slot == current else None
    if gate is not None and is_gated(gate, now):
        return _waiting(digest, slot, gate)
    composed = composed_after(compose(connection, digest, slot, now, horizon), gate, digest.schedule.timezone)
    missed = missed_slots(connection, digest, slot, horizon)
    # The hours of subscribers hold for the slot, even if its edition is published some hours late.
    began = None if now - current.at >= _DAY else queued_at - (now - current.at)
    return _publish_composed(
        connection, digest, composed, render, DueTime(digest.schedule, queued_at, slot_at=began), missed
    )


def _publish_composed(
    connection: Connection, digest: Digest, composed: Composed, render: Render, due: DueTime, missed: Sequence[Slot]
) -> DigestReport:
    """Store what was composed, and queue its deliveries."""
    edition = composed.edition
    # An empty edition is only recorded if every source was read. Otherwise the slot stays open.
    send_empty = digest.on_empty is OnEmpty.SEND and read_well(connection, digest)
    sections = for_all_topics(edition)
    rendered = render(edition, sections) if edition.entries or composed.pickable or send_empty else None
    edition_id = editions.add(connection, edition)
    if edition_id is None and edition.entries:
        return DigestReport(digest=digest.name, status="already-published", slot=edition.slot.key)
    if edition_id is not None and edition.entries:
        editions.add_qualified(connection, edition_id, composed.selection.decisions)
    if edition_id is None and composed.pickable:
        edition_id = editions.lock_unsent(connection, digest.name, edition.slot.key)
    if edition_id is None or rendered is None:
        return _report(composed, missed)
    queued = enqueue(connection, digest, composed, edition_id, due, send_empty=send_empty and not edition.entries)
    if queued.example is not None:
        render(edition, with_picks(sections, queued.example, edition.limits.max_papers))
    editions.set_recipients(connection, edition_id, queued.recipients)
    _queue_outputs(connection, digest, edition, edition_id, due.now)
    return _report(composed, missed, rendered, queued)


def _queue_outputs(connection: Connection, digest: Digest, edition: Edition, edition_id: int, now: datetime) -> None:
    """Queue an edition with papers for the outputs of its digest. Those of variants are for readers only."""
    if edition.entries and digest.name == digest.base:
        outputs.enqueue(connection, edition_id, digest.outputs, now)


def _not_now(connection: Connection, digest: Digest, slot: Slot | None, horizon: datetime | None) -> DigestReport:
    """Return the status of a digest that is not published: not due, already published, or empty."""
    stored = editions.outcome(connection, digest.name, slot.key) if slot else None
    if slot is not None and stored is None and editions.is_out(connection, digest.name, slot.key, slot.at, horizon):
        return DigestReport(digest=digest.name, status="already-published", slot=slot.key, reason="a later one is out")
    if slot is None or stored is None:
        return DigestReport(digest=digest.name, status="not-due")
    papers, reason = stored
    if papers or editions.is_out(connection, digest.name, slot.key, slot.at, horizon):
        return DigestReport(digest=digest.name, status="already-published", slot=slot.key)
    return DigestReport(digest=digest.name, status="empty", slot=slot.key, reason=reason)


def _waiting(digest: Digest, slot: Slot, gate: Gate) -> DigestReport:
    return DigestReport(
        digest=digest.name,
        status="waiting",
        slot=slot.key,
        reason=waiting_sentence(gate, digest.schedule.timezone),
        missing=gate.sources,
        waits_until=gate.until,
    )


def _report(
    composed: Composed, missed: Sequence[Slot], rendered: Rendered | None = None, queued: Queued = _NOTHING_QUEUED
) -> DigestReport:
    edition = composed.edition
    return DigestReport(
        digest=edition.digest,
        status="published" if edition.entries or queued.personal else "empty",
        slot=edition.slot.key,
        papers=paper_count(edition),
        considered=edition.considered,
        outcomes=dict(Counter(str(decision.outcome) for decision in composed.selection.decisions)),
        shortened=rendered.shortened if rendered else 0,
        recipients=queued.recipients,
        personal=queued.personal,
        nothing_for=queued.nothing_for,
        reason="; ".join(filter(None, (edition.reason, composed.waited))),
        missing=edition.missing,
        missed=tuple(slot.key for slot in missed),
    )
