"""Keeps a record of each run, so that the operator sees how the last ones went."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeAlias

from digestmail.clock import Clock
from digestmail.logs.runs import name_run
from digestmail.model.history import RunOutcome, RunRecord
from digestmail.model.reports import RunReport
from digestmail.storage import history
from digestmail.storage.database import Database
from digestmail.storage.host_limits import forget_idle
from digestmail.storage.maintenance import size

Record: TypeAlias = Callable[[RunReport], RunReport]


@contextmanager
def recorded_run(database: Database, clock: Clock, seen_from: datetime) -> Iterator[Record]:
    """Record that a run starts, and how it ends: by a report, which is returned as it is, or by an error.

    A run that is killed stays without an end. `seen_from` is the time that the run takes as now.
    """
    with database.begin() as connection:
        number = history.begin_run(connection, started_at := clock.now(), seen_from)
        forget_idle(connection, started_at)
    name_run(number)

    def end(report: RunReport, outcome: RunOutcome, detail: str) -> None:
        record = RunRecord(
            started_at=started_at,
            ended_at=clock.now(),
            outcome=outcome,
            detail=detail,
            new_papers=sum(source.new for source in report.collect.sources),
            editions=sum(digest.status == "published" for digest in report.publish.digests),
            sent=report.deliver.sent,
            database_bytes=size(database),
        )
        with database.begin() as connection:
            history.end_run(connection, number, record)

    def finish(report: RunReport) -> RunReport:
        end(report, RunOutcome.TROUBLE if report.failed else RunOutcome.WELL, first_trouble(report))
        return report

    try:
        yield finish
    except Exception as error:
        end(RunReport(), RunOutcome.FAILED, str(error) or type(error).__name__)
        raise


def first_trouble(report: RunReport) -> str:
    """Return the first thing that went wrong in a run; empty if nothing did."""
    for source in report.collect.sources:
        if source.failed:
            return f"source {source.shown}: {source.health[0].health}: {source.health[0].detail}"
    for digest in report.publish.digests:
        if digest.status == "failed":
            return f"digest {digest.digest}: {digest.reason}"
    if report.deliver.emails_went_wrong:
        return report.deliver.stopped or report.deliver.trouble or "deliveries need you: `digestmail deliveries list`"
    if (outputs := report.deliver.outputs).went_wrong:
        return f"output {outputs.problems[0]}" if outputs.problems else f"outputs: {outputs.stopped}"
    return ""
