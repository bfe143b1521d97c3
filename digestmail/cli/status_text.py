"""Prints what `digestmail status` found: one screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from digestmail.cli import printing
from digestmail.model.digests import shown_name
from digestmail.model.history import DomainFigures, EditionAccount, RunOutcome, RunRecord
from digestmail.schedule.times import written
from digestmail.status.figures import in_bytes, kind_of, share
from digestmail.status.overview import DAYS, SourceLine, Status
from digestmail.text.counts import counted

_RUNS: Final = 3
_CELLS: Final = {"new": "#", "quiet": "-", "partly": "~", "failed": "x", "unread": "."}
_LEGEND: Final = "# new papers, - nothing new, ~ some readings failed, x all failed, . not read"


def show(status: Status) -> None:
    """Print the status: what needs you first, then runs, sources, editions, the outbox, recipients and the disk."""
    found = status.check
    sys.stdout.write(f"digestmail {status.version}, {written(status.at, found.zone)}\n")
    if found.problems:
        sys.stdout.write(f"\n{counted(len(found.problems), 'problem')}\n")
        for problem in found.problems:
            sys.stdout.write(f"  {problem}\n")
    else:
        sys.stdout.write("all well\n")
    _part("Runs", _runs(status))
    _part(f"Sources, {DAYS} days to {_day(status.at.date())} UTC ({_LEGEND})", map(_source, status.sources))
    _part("Editions", (_edition(one) for one in status.editions))
    _part("Outbox", [(state, f"{count:,}") for state, count in found.outbox.outbox.items() if count])
    _part(f"Recipients, {DAYS} days", _domains(status.domains))
    _part("Subscribers", _counts(status.subscribers, "suppressed: ", status.suppressions))
    _part("Database", [_disk(status)])


def _part(title: str, rows: Iterator[tuple[object, ...]] | map[tuple[object, ...]] | list[tuple[object, ...]]) -> None:
    """Print a part with its title; an empty part is left out."""
    if lines := list(rows):
        sys.stdout.write(f"\n{title}\n")
        printing.table([("", *line) for line in lines])


def _runs(status: Status) -> Iterator[tuple[object, ...]]:
    zone = status.check.zone
    for run in status.runs[:_RUNS]:
        yield written(run.started_at, zone), _outcome(run)
    bad = next((run for run in status.runs[_RUNS:] if run.outcome is not RunOutcome.WELL), None)
    if bad is not None:
        yield written(bad.started_at, zone), _outcome(bad)
    for name, at in status.check.next_due.items():
        now = "now, and " if name in status.check.waiting else ""
        yield f"next: {shown_name(name)}", f"{now}{written(at, status.check.zones[name])}"


def _outcome(run: RunRecord) -> str:
    if run.outcome is None:
        return f"run {run.number} at work, or killed"
    done = ", ".join((counted(run.new_papers, "new paper"), counted(run.editions, "edition"), f"{run.sent:,} sent"))
    text = f"run {run.number} {run.outcome}: {done}"
    return f"{text}; {run.detail}" if run.detail else text


def _source(line: SourceLine) -> tuple[object, ...]:
    cells = "".join(_CELLS[kind_of(day)] for day in line.days)
    name = f"{line.name} ({line.known_as})" if line.known_as else line.name
    if line.health is None:
        return name, cells, "not read yet"
    return name, cells, f"{line.health.health}: {line.health.detail}"


def _edition(one: EditionAccount) -> tuple[object, ...]:
    said = ", ".join(f"{count:,} {state}" for state, count in one.deliveries.items()) or "no recipients"
    papers = counted(one.papers, "paper")
    return shown_name(one.digest), one.slot, papers, said, one.reason


def _domains(domains: tuple[DomainFigures, ...]) -> Iterator[tuple[object, ...]]:
    for one in domains:
        mailed = one.sent + one.failed
        yield (
            one.domain or "other domains",
            f"{one.sent:,} sent, {one.failed:,} failed",
            f"{one.bounces:,} bounces ({share(one.bounces, mailed)})",
            f"{one.complaints:,} complaints ({share(one.complaints, mailed)})",
        )


def _counts(states: Mapping[str, int], prefix: str, reasons: Mapping[str, int]) -> list[tuple[object, ...]]:
    return [
        *((state, f"{count:,}") for state, count in states.items()),
        *((f"{prefix}{reason}", f"{count:,}") for reason, count in reasons.items()),
    ]


def _disk(status: Status) -> tuple[object, ...]:
    said = in_bytes(status.database_bytes)
    if status.growth is not None:
        said += f", {'+' if status.growth >= 0 else '-'}{in_bytes(abs(status.growth))} a day"
    if status.free_bytes is not None:
        said += f", {in_bytes(status.free_bytes)} free on the disk"
    return (said,)


def _day(day: date) -> str:
    return f"{day:%a %d %b}"
