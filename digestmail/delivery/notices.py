"""Notices: write and send the mails of no edition. Few, and before the editions: somebody waits for them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from digestmail.clock import Clock
from digestmail.delivery.backoff import next_attempt
from digestmail.delivery.notice_composer import NoticeMessages
from digestmail.errors import DeliveryError, RenderError, TransportError
from digestmail.model.deliveries import Attempted, DeliveryState, Notice
from digestmail.storage import notices
from digestmail.storage.database import Database
from digestmail.transports.base import Session, Transport

mail_log = logging.getLogger("digestmail.mail")
log = logging.getLogger("digestmail.notices")

LEASE = timedelta(minutes=15)
_BATCH = 20
_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeReport:
    """What was sent in this run. `stopped` says why it ended before nothing was due."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0
    stopped: str = ""


def send_notices(
    database: Database,
    transport: Transport,
    letters: NoticeMessages,
    clock: Clock,
    *,
    give_up: timedelta,
    random: Random,
    stop: Callable[[], bool] = lambda: False,
) -> NoticeReport:
    """Send every notice that is due. Safe beside others that do the same: a claim is never handed out twice."""
    with database.connect() as connection:
        if not notices.is_due(connection, clock.now()):
            return NoticeReport()
    return _Run(database, transport, letters, clock, give_up, random, stop).send()


@dataclass(slots=True)
class _Run:
    database: Database
    transport: Transport
    letters: NoticeMessages
    clock: Clock
    give_up: timedelta
    random: Random
    stop: Callable[[], bool]

    def send(self) -> NoticeReport:
        tally: Counter[DeliveryState] = Counter()
        stopped = ""
        with ExitStack() as stack:
            session: Session | None = None
            while not stopped and (claimed := self._claim()):
                for index, notice in enumerate(claimed):
                    try:
                        if self.stop():
                            raise TransportError("asked to stop")  # noqa: TRY301 - the same is to be done
                        if session is None:
                            session = stack.enter_context(self.transport.open())
                        attempted = self._attempt(session, notice)
                    except (TransportError, RenderError) as error:
                        # Nobody's fault: everything is given back, and the next run tries again.
                        self._give_back(claimed[index:])
                        stopped = str(error)
                        break
                    tally[attempted.state] += self._record(notice, attempted)
        return NoticeReport(
            sent=tally[DeliveryState.SENT],
            deferred=tally[DeliveryState.DEFERRED],
            failed=tally[DeliveryState.FAILED],
            cancelled=tally[DeliveryState.CANCELLED],
            stopped=stopped,
        )

    def _claim(self) -> Sequence[Notice]:
        with self.database.begin() as connection:
            notices.settle_due(connection, self.clock.now(), LEASE)
            return notices.claim(connection, self.clock.now(), LEASE, _BATCH)

    def _attempt(self, session: Session, notice: Notice) -> Attempted:
        try:
            letter = self.letters.write(notice, self.clock.now()) if notice.wanted else None
            if letter is None:
                return Attempted(state=DeliveryState.CANCELLED, text="no longer wanted")
            receipt = session.send(*letter)
        except DeliveryError as error:
            return self._after_error(notice, error.code, str(error), permanent=error.permanent)
        except (TransportError, RenderError):
            raise
        except Exception as error:
            # A bug met on one recipient's mail must not cost the others theirs; it is logged whole and tried again.
            log.exception("notice=%d subscriber=%d", notice.id, notice.subscriber_id)
            return self._after_error(notice, None, f"unexpected {type(error).__name__}", permanent=False)
        return Attempted(state=DeliveryState.SENT, code=receipt.code, text=receipt.text)

    def _after_error(self, notice: Notice, code: int | None, text: str, *, permanent: bool) -> Attempted:
        now = self.clock.now()
        due_at = None
        if not permanent:
            due_at = next_attempt(notice.attempts, notice.queued_at, now, self.give_up, self.random)
        state = DeliveryState.FAILED if due_at is None else DeliveryState.DEFERRED
        return Attempted(state=state, code=code, text=text, due_at=due_at)

    def _record(self, notice: Notice, attempted: Attempted) -> bool:
        with self.database.begin() as connection:
            kept = notices.record(connection, notice, attempted, self.clock.now())
        mail_log.info(
            "notice=%d kind=%s subscriber=%d attempt=%d state=%s code=%s recorded=%s text=%r",
            notice.id,
            notice.kind,
            notice.subscriber_id,
            notice.attempts,
            attempted.state,
            attempted.code or "-",
            "yes" if kept else "no, another worker holds it",
            attempted.text,
        )
        return kept

    def _give_back(self, rest: Sequence[Notice]) -> None:
        with self.database.begin() as connection:
            notices.release(connection, rest, self.clock.now() + _PAUSE)
