"""Sends what is queued for outputs, one edition to one target at a time. No failure here concerns emails.

Each attempt is one claim: the state `sending` is committed before anything is sent, the result afterwards. After a
crash in between, the row is due again when the lease has passed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Final

from digestmail.clock import Clock
from digestmail.delivery.epoch import EpochFile
from digestmail.errors import OutputError, OutputGoneError
from digestmail.model.deliveries import Attempted, DeliveryState
from digestmail.model.digests import OutputTarget
from digestmail.model.outputs import ClaimedOutput, OutputsReport
from digestmail.model.reports import Stop
from digestmail.outputs.attempt import attempt
from digestmail.outputs.base import Output, OutputMessage
from digestmail.outputs.outcomes import OutputRules, after_failure, after_success, not_attempted
from digestmail.storage import editions, outputs, settings
from digestmail.storage.database import Database

log = logging.getLogger("digestmail.outputs")
LEASE: Final = timedelta(minutes=10)
"""Longer than any attempt."""
LONGEST_RUN: Final = 120.0
"""Seconds after which a run begins no further attempt."""


class OutputWorker:
    """Sends editions to outputs."""

    def __init__(
        self,
        database: Database,
        known: Mapping[OutputTarget, Output],
        clock: Clock,
        rules: OutputRules,
        epoch: EpochFile,
        *,
        random: Random,
        stop: Stop,
        configured_at: datetime | None = None,
    ) -> None:
        """`known` are the configured targets, read at `configured_at` (default: now).

        What was queued since for other targets is left to the process that queued it: it has a newer configuration.
        """
        self._database = database
        self._known = known
        self._clock = clock
        self._rules = rules
        self._epoch = epoch
        self._random = random
        self._stop = stop
        self._configured_at = configured_at or clock.now()
        self._counts: dict[DeliveryState, int] = dict.fromkeys(DeliveryState, 0)
        self._problems: list[str] = []
        self._hung: set[str] = set()

    def run(self) -> OutputsReport:
        """Send what is due. Raises StorageError if the database is not available, or was restored from a backup."""
        self._epoch.check_database(self._database)
        with self._database.begin() as connection:
            self._counts[DeliveryState.CANCELLED] += outputs.cancel_unknown(
                connection, self._known, self._clock.now(), before=self._configured_at
            )
        end = self._clock.monotonic() + LONGEST_RUN
        stopped = ""
        while True:
            if self._stop():
                break
            if self._clock.monotonic() >= end:
                stopped = self._out_of_time()
                break
            claimed = self._claim()
            if claimed is None:
                break
            self._handle(claimed)
        return self._report(stopped)

    def _out_of_time(self) -> str:
        with self._database.connect() as connection:
            left = outputs.has_due(connection, self._clock.now())
        return f"no further attempt after {LONGEST_RUN:.0f} seconds; the next run continues" if left else ""

    def _claim(self) -> ClaimedOutput | None:
        now = self._clock.now()
        with self._database.begin() as connection:
            claimed = outputs.claim(connection, now, LEASE, targets=self._known, not_output=self._hung)
            if claimed is None:
                return None
            epoch = settings.bump_epoch(connection)
        self._epoch.note(epoch)
        return claimed

    def _handle(self, claimed: ClaimedOutput) -> None:
        result = self._result(claimed)
        with self._database.begin() as connection:
            if not outputs.record(connection, claimed, result, self._clock.now()):
                log.info("output %s: another worker holds this edition now", claimed.target.output)
                return
        self._count(claimed, result)

    def _result(self, claimed: ClaimedOutput) -> Attempted:
        output = self._known[claimed.target]
        skipped = not_attempted(claimed, self._rules, self._clock.now(), repeatable=output.repeatable)
        return skipped or self._attempt(claimed, output)

    def _attempt(self, claimed: ClaimedOutput, output: Output) -> Attempted:
        began = self._clock.monotonic()
        try:
            with self._database.connect() as connection:
                edition = editions.get_by_id(connection, claimed.edition_id).edition
            message = OutputMessage(edition=edition, token=claimed.token, sent_at=self._clock.now())
            said = attempt(output, message)
        except OutputError as error:
            took = self._milliseconds(began)
            if took >= output.timeout * 1000:
                # One that hangs must not use up the time of the others.
                self._hung.add(claimed.target.output)
            if isinstance(error, OutputGoneError):
                self._end(claimed, error)
                return Attempted(state=DeliveryState.FAILED, code=error.status, text=str(error), milliseconds=took)
            return after_failure(claimed, error, self._rules, self._clock.now(), self._random, took)
        return after_success(said, self._milliseconds(began))

    def _end(self, claimed: ClaimedOutput, error: OutputGoneError) -> None:
        """Stop the target, but for the row in hand, which is recorded with the answer itself."""
        with self._database.begin() as connection:
            failed = outputs.stop(connection, claimed.target, str(error), self._clock.now(), but=claimed.id)
        self._counts[DeliveryState.FAILED] += failed

    def _milliseconds(self, began: float) -> int:
        return round((self._clock.monotonic() - began) * 1000)

    def _count(self, claimed: ClaimedOutput, result: Attempted) -> None:
        self._counts[result.state] += 1
        output = claimed.target.output
        if result.state is DeliveryState.SENT:
            log.info("output=%s edition=%d state=sent attempt=%d", output, claimed.edition_id, claimed.attempts)
            return
        self._problems.append(f"{output}: {result.state}: {result.text}")
        log.info("output=%s edition=%d state=%s", output, claimed.edition_id, result.state)

    def _report(self, stopped: str) -> OutputsReport:
        counts = self._counts
        return OutputsReport(
            sent=counts[DeliveryState.SENT],
            deferred=counts[DeliveryState.DEFERRED],
            failed=counts[DeliveryState.FAILED],
            cancelled=counts[DeliveryState.CANCELLED],
            ambiguous=counts[DeliveryState.AMBIGUOUS],
            problems=tuple(dict.fromkeys(self._problems)),
            stopped=stopped,
        )
