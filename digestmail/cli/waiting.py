"""`run --wait`: one command that runs until no edition waits for its sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from digestmail.clock import Clock
from digestmail.model.reports import RunReport, Stop
from digestmail.schedule.gate import LOOK_AGAIN

_STEP = 1.0
"""Seconds after which we look whether to stop."""


def run_while_waiting(run: Callable[[], RunReport], clock: Clock, stop: Stop) -> Iterator[RunReport]:
    """Yield the report of a run, and of another one every ten minutes while an edition waits for a source.

    Between them nothing is locked, so other processes may run; if one of them prevents a run, it is tried again.
    """
    report = run()
    until = report.publish.waits_until
    yield report
    while until is not None and not stop():
        _sleep(min(until, clock.now() + LOOK_AGAIN), clock, stop)
        if stop():
            return
        report = run()
        until = until if report.busy and clock.now() < until else report.publish.waits_until
        yield report


def _sleep(until: datetime, clock: Clock, stop: Stop) -> None:
    clock.sleep(_STEP)
    while clock.now() < until and not stop():
        clock.sleep(_STEP)
