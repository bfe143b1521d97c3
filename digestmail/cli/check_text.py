"""Prints what `digestmail check` found."""

from __future__ import annotations

import sys

from digestmail.cli import printing
from digestmail.model.digests import shown_name
from digestmail.model.papers import SourceHealth
from digestmail.schedule.times import written
from digestmail.status.check import CheckReport


def show(result: CheckReport) -> None:
    """Print the report."""
    printing.table(
        [
            *(_health_row(row, result.zone) for row in result.health),
            *((f"source {name}", "-", "not read yet") for name in result.unread),
            *(
                (
                    f"digest {shown_name(name)}",
                    "due",
                    f"{'now, and ' * (name in result.waiting)}{written(at, result.zones[name])}",
                )
                for name, at in result.next_due.items()
            ),
            *((f"outbox {state}", count, "") for state, count in result.outbox.outbox.items() if count),
        ]
    )
    for note in result.notes:
        sys.stdout.write(f"note: {note}\n")
    for problem in result.problems:
        sys.stdout.write(f"problem: {problem}\n")
    if not result.problems:
        sys.stdout.write("all well\n")


def _health_row(row: SourceHealth, zone: str) -> tuple[object, ...]:
    said = f"{row.detail} (read {written(row.read_at, zone)})"
    return f"source {row.source} {row.category}".rstrip(), row.health, said
