"""The daemon: runs the same operations as cron, scheduled by APScheduler. It has no state that a restart could lose."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from digestmail.app import App
from digestmail.clock import Clock
from digestmail.errors import DigestmailError
from digestmail.model.digests import Schedule
from digestmail.model.reports import RunReport, Stop
from digestmail.schedule.cron import next_fire

log = logging.getLogger("digestmail.daemon")

_LOOK_AT_CLOCK = 30.0
"""Seconds between two checks whether the clock was set."""
_SET = timedelta(seconds=60)


def clock_offset(clock: Clock) -> float:
    """Return the difference in seconds between wall clock and monotonic clock, which changes when the clock is set."""
    return clock.now().timestamp() - clock.monotonic()


class SlotTrigger(BaseTrigger):  # type: ignore[misc] # APScheduler 3 ships no types
    """Fires when a slot of a digest begins, computed by the same function that decides what is due."""

    def __init__(self, schedule: Schedule) -> None:
        """Fire on `schedule`."""
        self._schedule = schedule

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the first time after both arguments (APScheduler's interface)."""
        return next_fire(self._schedule, max(previous_fire_time or now, now).astimezone(UTC))


class Daemon:
    """Runs the operations on time until stopped. A unit of work in progress is finished first."""

    def __init__(
        self, app: App, *, on_report: Callable[[RunReport], None], on_stop: Callable[[], object] = lambda: None
    ) -> None:
        """Schedule a run for every digest of `app`, one every hour, and every minute a delivery and the outputs.

        The hourly run reads late or throttled sources again, and publishes open slots that were empty. `on_stop` is
        called on SIGTERM or SIGINT; it may limit how long the work in progress takes.
        """
        self._app = app
        self._on_report = on_report
        self._on_stop = on_stop
        self._stopping = threading.Event()
        self._clock = app.wall_clock
        self._owed = False
        self._scheduler = BackgroundScheduler(
            jobstores={"default": MemoryJobStore()},
            # A thread for outputs, because one that hangs must not hold up emails.
            executors={"default": ThreadPoolExecutor(max_workers=1), "outputs": ThreadPoolExecutor(max_workers=1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        for name, trigger in self._triggers().items():
            job = {"outbox": self._look, "outputs": self._send_outputs}.get(name, self._run)
            executor = "outputs" if name == "outputs" else "default"
            self._scheduler.add_job(job, trigger, id=name, executor=executor)

    def _triggers(self) -> dict[str, BaseTrigger]:
        """Return when each job fires next. An interval starts when it is created."""
        slots = {f"digest {digest.name}": SlotTrigger(digest.schedule) for digest in self._app.digests}
        return slots | {
            "run": IntervalTrigger(hours=1, timezone=UTC),
            "outbox": IntervalTrigger(minutes=1, timezone=UTC),
            "outputs": IntervalTrigger(minutes=1, timezone=UTC),
        }

    def _run(self) -> None:
        self._post(self._run_mail)
        for line in self._next_runs():
            log.info("%s", line)

    def _next_runs(self) -> Iterator[str]:
        """Yield when each digest is due next, in its own time zone."""
        for digest in self._app.digests:
            at = next_fire(digest.schedule, self._clock.now()).astimezone(ZoneInfo(digest.schedule.timezone))
            yield f"next run of digest {digest.name}: {at:%a %Y-%m-%d %H:%M} {digest.schedule.timezone}"

    def _look(self) -> None:
        """Deliver what is due, and repeat a run that another process prevented."""
        self._post(self._run_mail if self._owed else self._deliver)

    def _run_mail(self, *, stop: Stop) -> RunReport:
        return self._app.run(outputs=False, stop=stop)

    def _send_outputs(self) -> None:
        """Send to outputs what is due."""
        try:
            sent = self._app.send_outputs(stop=self._stopping.is_set).outputs
        except DigestmailError as error:
            log.error("outputs: %s", error)  # noqa: TRY400 - no bug
            return
        for problem in (*sent.problems, *filter(None, [sent.stopped])):
            log.warning("outputs: %s", problem)

    def _deliver(self, *, stop: Stop) -> RunReport:
        return RunReport(deliver=self._app.deliver(stop=stop))

    def _post(self, verb: Callable[..., RunReport]) -> None:
        """Call an operation and pass on its report, unless it is empty."""
        try:
            report = verb(stop=self._stopping.is_set)
        except DigestmailError as error:
            log.error("the run failed, and is tried again at its next time: %s", error)  # noqa: TRY400 - no bug
            return
        self._owed = report.busy
        done = report.deliver
        if verb == self._run_mail or done.stopped or done.sent + done.deferred + done.failed + done.cancelled:
            self._on_report(report)

    def _watch_the_clock(self) -> None:
        """Wait for the stop. Reschedule when the clock is set, because a run may be planned for a wrong date."""
        offset = clock_offset(self._clock)
        while not self._stopping.wait(_LOOK_AT_CLOCK):
            now = clock_offset(self._clock)
            if abs(now - offset) > _SET.total_seconds():
                log.warning("the clock was set by %+.0f s; all jobs are rescheduled", now - offset)
                self.reschedule()
            offset = now

    def reschedule(self) -> None:
        """Reschedule every job as if the daemon had just started."""
        for name, trigger in self._triggers().items():
            self._scheduler.reschedule_job(name, trigger=trigger)

    def stop(self, *_: int | FrameType | None) -> None:
        """Stop. Safe in a signal handler."""
        self._stopping.set()
        self._on_stop()

    def run(self) -> None:
        """Run once immediately, then until SIGTERM or SIGINT."""
        previous: dict[signal.Signals, Any] = {
            number: signal.signal(number, self.stop) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            self._run()
            self._scheduler.start()
            self._watch_the_clock()
            self._scheduler.shutdown(wait=True)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
