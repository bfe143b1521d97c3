"""What happened on the last days: runs, readings of sources, and messages by recipient domain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, case, delete, func, insert, select, update

from digestmail.model.history import DomainFigures, EditionAccount, RunOutcome, RunRecord, SourceDay
from digestmail.model.subscribers import BounceKind
from digestmail.storage import deliveries
from digestmail.storage.schema import bounces, domain_days, editions, runs, source_days
from digestmail.storage.upsert import insert as upsert

KEPT: Final = timedelta(days=100)
_OTHERS: Final = ""
_BADNESS: Final = (RunOutcome.WELL, RunOutcome.TROUBLE, RunOutcome.FAILED)


def begin_run(connection: Connection, now: datetime, seen_from: datetime | None = None) -> int:
    """Record that a run starts; return its number. Records older than `KEPT` are deleted.

    A replay sees the world from another time, `seen_from`, and keeps the days before that, too.
    """
    oldest = min(now, seen_from or now) - KEPT
    connection.execute(delete(runs).where(runs.c.started_at < oldest))
    for table in (source_days, domain_days):
        connection.execute(delete(table).where(table.c.day < oldest.date()))
    values = {"started_at": now, "detail": "", "new_papers": 0, "editions": 0, "sent": 0}
    return int(connection.execute(insert(runs).values(values).returning(runs.c.id)).scalar_one())


def end_run(connection: Connection, number: int, record: RunRecord) -> None:
    """Record how the run with this number ended. Its start stays as it is."""
    connection.execute(
        update(runs)
        .where(runs.c.id == number)
        .values(
            ended_at=record.ended_at,
            outcome=record.outcome,
            detail=record.detail,
            new_papers=record.new_papers,
            editions=record.editions,
            sent=record.sent,
            database_bytes=record.database_bytes,
        )
    )


def add_to_run(connection: Connection, number: int | None, part: RunRecord) -> None:
    """Add what a job did to the run that it belongs to. The worst outcome stays, and the first detail.

    Nothing happens if there is no such run any more.
    """
    r = runs.c
    values: dict[str, Any] = {
        "new_papers": r.new_papers + part.new_papers,
        "editions": r.editions + part.editions,
        "sent": r.sent + part.sent,
        "detail": case((r.detail == "", part.detail), else_=r.detail),
    }
    if part.outcome is not None:
        better = [outcome for outcome in RunOutcome if _BADNESS.index(outcome) < _BADNESS.index(part.outcome)]
        values["outcome"] = case((r.outcome.is_(None) | r.outcome.in_(better), part.outcome), else_=r.outcome)
    if part.ended_at is not None:
        values |= {"ended_at": part.ended_at, "database_bytes": part.database_bytes}
    connection.execute(update(runs).where(r.id == number).values(values))


def last_runs(connection: Connection, limit: int) -> tuple[RunRecord, ...]:
    """Return the last runs, the latest first."""
    return _records(connection, select(runs).order_by(runs.c.started_at.desc(), runs.c.id.desc()).limit(limit))


def last_end(connection: Connection, outcome: RunOutcome | None = None) -> datetime | None:
    """Return when the last run ended, optionally the last one with this outcome; None if there was none."""
    r = runs.c
    statement = select(func.max(r.ended_at))
    return connection.execute(statement if outcome is None else statement.where(r.outcome == outcome)).scalar()


def first_measured(connection: Connection, since: datetime) -> RunRecord | None:
    """Return the first run since a time after which the size of the database is known."""
    r = runs.c
    measured = select(runs).where(r.started_at >= since, r.database_bytes.is_not(None), r.ended_at.is_not(None))
    return next(iter(_records(connection, measured.order_by(r.started_at, r.id).limit(1))), None)


def _records(connection: Connection, statement: Select[Any]) -> tuple[RunRecord, ...]:
    return tuple(map(_record, connection.execute(statement)))


def _record(row: Row[Any]) -> RunRecord:
    return RunRecord(
        number=row.id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        outcome=None if row.outcome is None else RunOutcome(row.outcome),
        detail=row.detail,
        new_papers=row.new_papers,
        editions=row.editions,
        sent=row.sent,
        database_bytes=row.database_bytes,
    )


def count_reading(connection: Connection, source: str, now: datetime, *, failed: bool, new_papers: int) -> None:
    """Count a reading of a source for the day of `now` in UTC."""
    d = source_days.c
    values = {"readings": 1, "failures": int(failed), "new_papers": new_papers}
    statement = upsert(connection, source_days).values(source=source, day=now.date(), **values)
    added = {name: d[name] + value for name, value in values.items()}
    connection.execute(statement.on_conflict_do_update(index_elements=["source", "day"], set_=added))


def days_of_sources(connection: Connection, since: date) -> tuple[SourceDay, ...]:
    """Return the days of all sources since a day, oldest first."""
    d = source_days.c
    rows = connection.execute(select(source_days).where(d.day >= since).order_by(d.day, d.source))
    return tuple(SourceDay(**row._mapping) for row in rows)  # noqa: SLF001 - the documented way to a row's names


def count_messages(connection: Connection, now: datetime, counted: Mapping[str, tuple[int, int]], fewest: int) -> None:
    """Add the (sent, failed) deliveries by domain to the day of `now` in UTC.

    Domains with less than `fewest` messages are counted together.
    """
    d = domain_days.c
    named = {domain: pair for domain, pair in counted.items() if sum(pair) >= fewest}
    rest = [pair for domain, pair in counted.items() if domain not in named]
    if rest:
        named[_OTHERS] = sum(sent for sent, _ in rest), sum(failed for _, failed in rest)
    for domain, (sent, failed) in sorted(named.items()):
        statement = upsert(connection, domain_days).values(domain=domain, day=now.date(), sent=sent, failed=failed)
        added = {"sent": d.sent + sent, "failed": d.failed + failed}
        connection.execute(statement.on_conflict_do_update(index_elements=["domain", "day"], set_=added))


def domains(connection: Connection, since: datetime, limit: int) -> tuple[DomainFigures, ...]:
    """Return the recipient domains with the most deliveries since the day of `since` in UTC, the most first."""
    d = domain_days.c
    sent, failed = func.sum(d.sent).label("sent"), func.sum(d.failed).label("failed")
    rows = connection.execute(
        select(d.domain, sent, failed)
        .where(d.day >= since.date())
        .group_by(d.domain)
        .order_by((sent + failed).desc(), d.domain)
        .limit(limit)
    ).all()
    reports = _reports(connection, since)
    return tuple(
        DomainFigures(
            domain=row.domain,
            sent=int(row.sent),
            failed=int(row.failed),
            **{kind: reports.get((row.domain, kind), 0) for kind in ("bounces", "complaints")},
        )
        for row in rows
    )


def _reports(connection: Connection, since: datetime) -> dict[tuple[str, str], int]:
    """Return how many bounces and complaints there were since a time, by domain and kind."""
    b = bounces.c
    is_complaint = b.kind == BounceKind.COMPLAINT
    counts = connection.execute(
        select(b.domain, func.count().filter(~is_complaint), func.count().filter(is_complaint))
        .where(b.at >= since)
        .group_by(b.domain)
    )
    return {
        (domain, kind): count
        for domain, bounced, complained in counts
        for kind, count in (("bounces", bounced), ("complaints", complained))
    }


def accounts(connection: Connection, limit: int) -> tuple[EditionAccount, ...]:
    """Return the last editions, the latest first. Reads each of their deliveries."""
    e = editions.c
    rows = connection.execute(
        select(e.id, e.digest, e.slot, e.papers, e.reason, e.recipients)
        .order_by(e.slot_at.desc(), e.id.desc())
        .limit(limit)
    ).all()
    return tuple(
        EditionAccount(
            digest=row.digest,
            slot=row.slot,
            papers=row.papers,
            reason=row.reason,
            recipients=row.recipients or 0,
            deliveries={str(state): count for state, count in deliveries.counts(connection, row.id).items()},
        )
        for row in rows
    )
