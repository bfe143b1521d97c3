"""The scheduler of `digestmail up`: runs the same operations as cron. It has no state that a restart could lose."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from digestmail.app import App
from digestmail.clock import Clock
from digestmail.errors import DigestmailError
from digestmail.logs.runs import run_scope
from digestmail.model.digests import Schedule
from digestmail.model.reports import RunReport, Stop
from digestmail.schedule.cron import next_fire
from digestmail.schedule.gate import LOOK_AGAIN
from digestmail.status.alerts import run_with_alerts
from digestmail.wiring.upkeep import tidy

log = logging.getLogger("digestmail.daemon")

_LOOK_AT_CLOCK = 30.0
"""Seconds between two checks whether the clock was set."""
_SET = timedelta(seconds=60)
_FAILURES = {
    "run": "the run failed, and is tried again in ten minutes",
    "delivery": "the delivery failed, and is tried again every minute",
}
_SAY_AGAIN = 3600.0
"""Seconds after which a problem that stays is logged again."""


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
        self, app: App, *, on_report: Callable[[RunReport], None], stop: Stop, wait: Callable[[float], bool]
    ) -> None:
        """Schedule a run for every digest of `app` and one an hour, deliveries and outputs every minute, and upkeep.

        The hourly run reads late or throttled sources again, and publishes open slots that were empty. While an edition
        waits for its sources, there is a run every ten minutes. `stop` says whether to stop, and is asked as long as
        anything goes on; `wait` waits for that, at most so many seconds.
        """
        self._app = app
        self._on_report = on_report
        self._stop = stop
        self._wait = wait
        self._clock = app.wall_clock
        self._owed = False
        self._again_at = math.inf
        self._is_working = False
        self._complaint = ("", "")
        self._complained_at = 0.0
        self._scheduler = BackgroundScheduler(
            jobstores={"default": MemoryJobStore()},
            # A thread for outputs, because one that hangs must not hold up emails.
            executors={"default": ThreadPoolExecutor(max_workers=1), "outputs": ThreadPoolExecutor(max_workers=1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        jobs = {"outbox": self._look, "outputs": self._send_outputs, "upkeep": self._tidy}
        for name, trigger in self._triggers().items():
            executor = "outputs" if name == "outputs" else "default"
            self._scheduler.add_job(jobs.get(name, self._run), trigger, id=name, executor=executor)

    def _triggers(self) -> dict[str, BaseTrigger]:
        """Return when each job fires next. An interval starts when it is created."""
        slots = {f"digest {digest.name}": SlotTrigger(digest.schedule) for digest in self._app.digests}
        return slots | {
            "run": IntervalTrigger(hours=1, timezone=UTC),
            "outbox": IntervalTrigger(minutes=1, timezone=UTC),
            "upkeep": IntervalTrigger(days=1, timezone=UTC),
            "outputs": IntervalTrigger(minutes=1, timezone=UTC),
        }

    def _run(self) -> None:
        with run_scope():
            self._post(self._run_mail)
            for line in self._next_runs():
                log.info("%s", line)

    def _next_runs(self) -> Iterator[str]:
        """Yield when each digest is due next, in its own time zone."""
        for digest in self._app.digests:
            at = next_fire(digest.schedule, self._clock.now()).astimezone(ZoneInfo(digest.schedule.timezone))
            yield f"next run of digest {digest.name}: {at:%a %Y-%m-%d %H:%M} {digest.schedule.timezone}"

    def _look(self) -> None:
        """Deliver what is due, and repeat a run that another process prevented, or in which an edition waited."""
        with run_scope():
            self._post(self._run_mail if self._owed or self._clock.monotonic() >= self._again_at else self._deliver)

    def _run_mail(self, *, stop: Stop) -> RunReport:
        return run_with_alerts(self._app, outputs=False, stop=stop)

    def _send_outputs(self) -> None:
        """Send to outputs what is due."""
        try:
            sent = self._app.send_outputs(stop=self._stop).outputs
        except DigestmailError as error:
            log.error("outputs: %s", error)  # noqa: TRY400 - no bug
            return
        for problem in (*sent.problems, *filter(None, [sent.stopped])):
            log.warning("outputs: %s", problem)

    def _deliver(self, *, stop: Stop) -> RunReport:
        return RunReport(deliver=self._app.deliver(stop=stop))

    def _post(self, verb: Callable[..., RunReport]) -> None:
        """Call an operation and pass on its report, unless it is empty."""
        self._is_working = True
        try:
            report = verb(stop=self._stop)
        except DigestmailError as error:
            self._complain("run" if verb == self._run_mail else "delivery", str(error))
            return
        finally:
            self._is_working = False
        if self._complaint[0] == "delivery" or verb == self._run_mail:
            self._withdraw_complaint()
        self._owed = report.busy
        if verb == self._run_mail:
            waits = LOOK_AGAIN.total_seconds() if report.publish.waiting else math.inf
            self._again_at = self._clock.monotonic() + waits
        done = report.deliver
        if verb == self._run_mail or done.stopped or done.sent + done.deferred + done.failed + done.cancelled:
            self._on_report(report)

    def _complain(self, what: str, problem: str) -> None:
        """Log why a run or a delivery failed. What fails in the same way again and again is said once an hour."""
        now = self._clock.monotonic()
        if what == "run":
            self._again_at = now + LOOK_AGAIN.total_seconds()
        if (what, problem) != self._complaint or now - self._complained_at >= _SAY_AGAIN:
            log.error("%s: %s", _FAILURES[what], problem)
            self._complaint, self._complained_at = (what, problem), now

    def _withdraw_complaint(self) -> None:
        if self._complaint[0]:
            log.info("the %s works again", self._complaint[0])
            self._complaint = ("", "")

    def _tidy(self) -> None:
        """Keep house. Problems can wait until tomorrow."""
        try:
            report = tidy(self._app.database)
        except DigestmailError as error:
            log.warning("upkeep failed, and is tried again tomorrow: %s", error)
            return
        for hint in report.hints:
            log.warning("%s", hint)

    def _watch_the_clock(self) -> None:
        """Wait for the stop. Reschedule when the clock is set, because a run may be planned for a wrong date."""
        offset = clock_offset(self._clock)
        while not self._wait(_LOOK_AT_CLOCK):
            if not self._is_working:  # the work in progress asks by itself, unless it hangs
                self._stop()
            now = clock_offset(self._clock)
            if abs(now - offset) > _SET.total_seconds():
                log.warning("the clock was set by %+.0f s; all jobs are rescheduled", now - offset)
                self.reschedule()
            offset = now

    def reschedule(self) -> None:
        """Reschedule every job as if the daemon had just started."""
        for name, trigger in self._triggers().items():
            self._scheduler.reschedule_job(name, trigger=trigger)

    def run(self) -> None:
        """Run once immediately, then until stopped."""
        self._run()
        self._tidy()
        self._scheduler.start()
        try:
            self._watch_the_clock()
        finally:
            self._scheduler.shutdown(wait=True)
