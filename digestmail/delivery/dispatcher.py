"""The dispatcher: keep the connections busy with messages whose intents are committed, and commit their results.

`message_queue` draws the states of a message. The dispatcher moves messages on:

    a claim was committed       -> add them to the queue; open connections      (`_on_commit`)
    connections run out of work -> make messages ready, request their intents   (`_submit`)
    an intent was committed     -> a connection may take the message            (`_on_commit`)
    a connection asks           -> compose the message and hand it over         (`try_take`)
    the verdict arrives         -> decide the outcome, submit the result        (`_on_verdict`)
    a result was committed      -> count it                                     (`_on_commit`)

At the end, everything that no connection has is given back. All of this runs in one event loop; the outbox writer has a
thread, and messages with RSA signatures are composed in others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random

from digestmail.clock import Clock
from digestmail.delivery import outcomes
from digestmail.delivery.composers import Composers
from digestmail.delivery.composing_ahead import ComposingAhead
from digestmail.delivery.connections import LOST_TWICE, ConnectionPool
from digestmail.delivery.intake import Intake
from digestmail.delivery.lead import Lead
from digestmail.delivery.message_queue import Composition, MessageQueue, QueuedMessage
from digestmail.delivery.outbox_writer import OutboxWriter
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.relay_health import Finding, RelayHealth
from digestmail.delivery.tally import Tally
from digestmail.delivery.write_batch import ClaimRequest, Committed, Grant, Result, WriteBatch
from digestmail.errors import DeliveryError, RenderError, StorageError, TransportError
from digestmail.model.deliveries import Attempted, ClaimedMessage, Manner, Notice
from digestmail.model.reports import ASKED_TO_STOP
from digestmail.storage.rates import Pause
from digestmail.storage.servers import ServerObservation
from digestmail.transports.base import (
    NotSentError,
    NotTakenError,
    Pipelining,
    Receipt,
    ThrottledError,
    Transport,
    Verdict,
)

log = logging.getLogger("digestmail.deliver")

_WHILE, _SHORT_WHILE = 0.025, 0.002
"""Seconds that a result waits for others, to be committed with them."""
_LOOK = 0.5
"""Seconds between two looks for a request to stop."""
_LONGEST = 2**31 - 1
"""The most milliseconds a column holds; recording must not fail over a duration."""
_BEHIND = timedelta(minutes=1)
"""Messages that were refused alike are due this much after the others, so that reachable recipients come first."""


class Dispatcher:
    """Sends one worker's messages over one transport, from the first claim to the last result."""

    def __init__(  # noqa: PLR0913 - everything a run needs comes together here
        self,
        writer: OutboxWriter,
        transport: Transport,
        composers: Composers,
        clock: Clock,
        rules: Rules,
        *,
        grant: Grant,
        pause: timedelta,
        random: Random,
        stop: Callable[[], bool],
        tally: Tally,
        only_notices: bool,
    ) -> None:
        """Use what `grant` allows. `pause` is how long unsent messages wait if the transport breaks."""
        self._writer = writer
        self._transport = transport
        self._composers = composers
        self._clock = clock
        self._rules = rules
        self._grant = grant
        self._pause = pause
        self._random = random
        self._stop = stop
        self._tally = tally
        self._queue = MessageQueue(grant.domains, self._on_verdict)
        self._intake = Intake(clock, self._submit_claim, stop, self._check_idle, only_notices=only_notices)
        self._lead = Lead(clock.monotonic())
        self._health = RelayHealth(transport, rules.give_up, clock.now(), clock.monotonic())
        self._connections = ConnectionPool(transport, self, most=grant.connections)
        self._most = grant.connections
        self._most_accepted: int | None = None
        """The most connections over which the server accepts messages, if it said so."""
        self._results: list[Result] = []
        self._submission: asyncio.TimerHandle | None = None
        self._stop_look: asyncio.TimerHandle
        self._hurries = False
        self._most_ahead = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._paused_until = clock.now()
        self.stopped = ""
        """Why the run ended early, if it did."""
        self.is_broken = False
        """Whether it ended because of the transport."""
        self.is_sharing = grant.is_shared
        """Whether other workers have connections to the same server."""
        self.is_crowded_out = False
        """Whether it ended because other workers have all connections that the server accepts."""
        self.trouble: StorageError | None = None

    async def run(self) -> None:
        """Send until nothing is due, `stop` says so, or the transport breaks."""
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        if isinstance(self._transport, Pipelining):
            self._transport.manners.begin(self._grant.manners, self._observe)
        self._ahead = ComposingAhead(self._composers, self._queue, self._clock, self._wake)
        self._writer.start(self._post)
        self._intake.claim()
        self._check_idle()
        self._look_for_stop()
        await self._idle.wait()
        await self._connections.wait_closed()
        self._stop_look.cancel()
        self._intake.cancel()
        await self._ahead.close()
        self._submit()
        self._release_all()
        await asyncio.to_thread(self._writer.finish)
        await asyncio.sleep(0)  # `_on_commit` runs for the last commit

    def _look_for_stop(self) -> None:
        """Ask `stop` from time to time: connections to a server that does not answer ask for no message."""
        if not self.stopped and self._stop():
            self._halt(ASKED_TO_STOP)
        self._stop_look = self._loop.call_later(_LOOK, self._look_for_stop)

    def _post(self, committed: Committed | StorageError) -> None:
        """Pass what was committed from the writer's thread to the event loop."""
        self._loop.call_soon_threadsafe(self._on_commit, committed)

    # -- what connections ask for -------------------------------------------------------------------------------------

    async def take(self) -> QueuedMessage | None:
        """Wait for the next message; None when the connection should end."""
        while True:
            message = self.try_take()
            if message is not None or self.is_finished or self._connections.leave():
                return message
            waiter = self._loop.create_future()
            self._waiting.append(waiter)
            self._submit_soon()
            await waiter

    def try_take(self) -> QueuedMessage | None:
        """Return the next message if one may be sent now."""
        while not self.stopped:
            if self._stop():
                self._halt(ASKED_TO_STOP)
                return None
            now = self._clock.now()
            message = self._queue.take(now)
            if self._queue.stale:
                self._writer.submit(WriteBatch(record_intent=self._queue.pop_stale()))
            if message is None:
                return None
            composition = self._ahead.composition(message, now, self._lead, self._most)
            if not composition.is_done:
                self._queue.put_back(message)  # it is composed in a moment, which wakes a connection
                return None
            message.started = self._clock.monotonic()
            if self._use(composition, message, now):
                return message
        return None

    def _use(self, composition: Composition, message: QueuedMessage, now: datetime) -> bool:
        """Set what was composed for a message; return False if that failed, which resolves it."""
        claimed = message.claimed
        try:
            composed = composition.result()
        except RenderError as error:
            self._record_error(message, TransportError(str(error)), now, message.started)
            if not isinstance(claimed, Notice):  # a notice has a template of its own, which says nothing of the others
                self._halt(str(error))
        except DeliveryError as error:
            self._record_error(message, error, now, message.started)
        except Exception as error:
            # A bug met on one message must not cost the others theirs; it is logged with its traceback.
            log.exception("cannot compose %r", claimed.claim)
            text = f"unexpected {type(error).__name__}: {error}"
            failed = DeliveryError(text, code=None, permanent=False)
            self._record_error(message, failed, now, message.started)
        else:
            if composed is not None:
                message.envelope, message.message = composed
                return True
            self._record_result(message, outcomes.no_longer_says_anything())
        return False

    # -- what a verdict means -----------------------------------------------------------------------------------------

    def _on_verdict(self, message: QueuedMessage, verdict: Verdict) -> None:
        if isinstance(verdict, Receipt):
            self._on_accepted(message, verdict)
        elif isinstance(verdict, NotSentError):
            self._on_connection_lost(message, verdict)
        else:
            if not isinstance(verdict, TransportError):
                self._connections.reset_failures()
            self._judge(message, verdict)

    def _on_accepted(self, message: QueuedMessage, receipt: Receipt) -> None:
        """Record what nearly always becomes of a message."""
        self._connections.reset_failures()
        if message.taken_by is not None:
            message.taken_by.crowded_in = None
            message.taken_by.has_delivered = True
            message.taken_by = None
        at = self._clock.monotonic()
        self._health.accept(message.claimed.address, at)
        self._record_result(message, outcomes.accepted(receipt, _milliseconds(message, at)))

    def _on_connection_lost(self, message: QueuedMessage, error: NotSentError) -> None:
        """Send the message first over the next connection: nothing was delivered, and its intent is still valid.

        A server may close a connection after some messages. Only the first message of a connection may be to blame.
        """
        is_first = message.taken_by is None or not message.taken_by.has_delivered
        if is_first and not isinstance(error, NotTakenError):
            message.losses += 1
        if message.losses < LOST_TWICE:
            message.taken_by = None
            self._queue.put_back(message)
            self._wake()
            self._submit_soon()
        else:
            self._judge(message, TransportError(str(error), code=error.code))

    def _judge(self, message: QueuedMessage, error: DeliveryError | TransportError) -> None:
        """Record what became of a message that was not accepted, and act on what that says about the server."""
        crowded = False
        if isinstance(error, ThrottledError):
            self._intake.expect_more()  # this message is due again in a moment
            crowded = error.connections and len(self._connections) > 1
        if message.taken_by is not None:
            message.taken_by.crowded_in = message.wave if crowded else None
            message.taken_by = None
        now, at = self._clock.now(), self._clock.monotonic()
        self._record_error(message, error, now, at)
        finding = self._health.judge(message.claimed, error, now, at, crowded=crowded)
        if finding is not None:
            self._act_on(finding)

    def _record_error(
        self, message: QueuedMessage, error: DeliveryError | TransportError, now: datetime, at: float
    ) -> None:
        milliseconds = _milliseconds(message, at)
        result = outcomes.not_accepted(message.claimed, error, self._rules, now, self._random, milliseconds)
        if isinstance(error, TransportError) and error.pause is not None:
            # The message is certainly not at fault: it stays ahead, and another transport may have it at once.
            due_at = self._health.paused_until(error, now) if self._pause else now
            result = result._replace(due_at=due_at)
        self._record_result(message, result)

    def _record_result(self, message: QueuedMessage, result: Attempted) -> None:
        self._queue.resolve(message)
        self._results.append((message.claimed, result))
        self._submit_soon()

    def _act_on(self, finding: Finding) -> None:
        if finding.slow:
            self._writer.submit(WriteBatch(slow=finding.slow))
        if finding.recall:
            self._release(self._queue.recall(), self._clock.now())
        if finding.broken is not None:
            self.on_broken(finding.broken)
        if finding.reopen:
            self._submit()  # the results that are to be reopened must be written first
            due_at = self._paused_until + _BEHIND
            reopened = [(one, outcomes.reopened(str(why), why.code, due_at)) for one, why in finding.reopen]
            self._writer.submit(WriteBatch(reopen=reopened))

    # -- the outbox writer --------------------------------------------------------------------------------------------

    def _submit_soon(self) -> None:
        """Submit once for everything that happens in a while, a short one if connections may run out of messages."""
        hurries = self._queue.intended <= self._most_ahead // 2 and bool(self._waiting or not self._queue.ready)
        if self._submission is None or (hurries and not self._hurries):
            if self._submission is not None:
                self._submission.cancel()
            self._hurries = hurries
            self._submission = self._loop.call_later(_SHORT_WHILE if hurries else _WHILE, self._submit)

    def _submit(self) -> None:
        """Submit results, and request intents and claims before messages run out."""
        if self._submission is not None:
            self._submission.cancel()
            self._submission = None
        results, self._results = self._results, []
        self._most_ahead = self._lead.most(self._most)
        ready = [] if self.stopped else self._queue.make_ready(self._most_ahead - self._queue.ahead)
        if results or ready:
            self._writer.submit(WriteBatch(results=results, record_intent=ready))
        self._intake.claim_if_low(self._queue.available)
        if self.is_finished:
            self._wake(everyone=True)

    def _submit_claim(self, request: ClaimRequest) -> bool:
        if not self.stopped and self._stop():
            self._halt(ASKED_TO_STOP)
        if self.stopped:
            return False
        self._writer.submit(WriteBatch(claim=request))
        return True

    def _on_commit(self, committed: Committed | StorageError) -> None:
        if isinstance(committed, StorageError):
            self.trouble = committed
            self._intake.abandon_claim()
            self._queue.forget_ready()
            self._halt(str(committed))
            return
        self._lead.on_commit(len(committed.results), committed.seconds, self._clock.monotonic())
        for message, result in committed.results:
            self._tally.add(message, result, recorded=not committed.lost or message.claim not in committed.lost)
        if committed.reopened:
            self._tally.reopen(committed.reopened)
        refused = self._queue.commit_intents(committed.requested, committed.intended, committed.at)
        if refused:
            # The lease is nearly over, the subscriber has left, or another worker has it: the next claim decides.
            self._release(refused, self._clock.now())
            self._intake.expect_more()
        if isinstance(self._transport, Pipelining):
            grant = committed.grant
            self._transport.manners.hear(committed.trials, grant.manners if grant is not None else {})
        if committed.grant is not None:
            self._use_grant(committed.grant)
        if committed.claim is not None:
            self._on_claim(committed, committed.claim)
        self._ahead.fill(self._most)
        self._wake()
        self._submit_soon()
        self._check_idle()

    def _on_claim(self, committed: Committed, request: ClaimRequest) -> None:
        triage = committed.triage
        for message, result in triage.rest:
            self._tally.add(message, result, recorded=True)
        self._queue.add(triage.go)
        self._intake.on_claim(request, triage, stopped=bool(self.stopped))
        if triage.go:
            self._grow()

    def _use_grant(self, grant: Grant) -> None:
        """Use as many connections as granted, but only one more than the server accepted, to try it. Heed a pause."""
        if grant.pause is not None and not self.stopped:
            self._paused_until = grant.pause.until
            self.is_broken = True
            self._halt(str(grant.pause))
        self.is_sharing = grant.is_shared
        most = grant.connections
        if self._most_accepted is not None:
            self._most_accepted += 1
            most = min(most, self._most_accepted)
        self._most = most
        self._connections.set_limit(most)
        self._wake(everyone=most < len(self._connections))
        self._queue.set_limits(grant.domains)
        self._grow()

    def _grow(self) -> None:
        """Open connections for the messages there are."""
        waiting = self._queue.claimed + self._queue.ahead
        if waiting and not self.stopped:
            self._connections.grow_to(min(self._most, waiting))

    def _observe(self, face: str, manner: Manner) -> None:
        """Have what a connection learned about the server stored, or ask for a trial."""
        if isinstance(self._transport, Pipelining):
            observed = ServerObservation(server=self._transport.server, face=face, manner=manner)
            self._writer.submit(WriteBatch(observed=[observed]))

    # -- what the connection pool reports -----------------------------------------------------------------------------

    def on_too_many_connections(self) -> None:
        """Slow down: the server accepts no further connection."""
        self._writer.submit(WriteBatch(slow={f"relay:{self._transport.name}": None}))

    def on_crowded_out(self, error: TransportError) -> None:
        """End the run: the others send what this worker gives back, and make room for it in a moment."""
        log.info("%s accepts no connection beside those of other workers: %s", self._transport.name, error)
        self.is_crowded_out = True
        self._halt(str(error))

    def on_narrowed(self, most: int) -> None:
        """Use at most `most` connections: the server accepts messages over no more."""
        log.info("%s accepts messages over fewer connections: continuing with %d", self._transport.name, most)
        self._most_accepted = self._most = most

    def on_broken(self, error: TransportError) -> None:
        """Leave the server alone for a while. No recipient is to blame."""
        self._paused_until = until = self._health.paused_until(error, self._clock.now())
        pause = Pause(key=f"relay:{self._transport.name}", until=until, reason=str(error))
        self._writer.submit(WriteBatch(pause=[pause]))
        self.is_broken = True
        self._halt(str(error))

    def on_closed(self, error: BaseException | None) -> None:
        """End the run when the last connection has ended, or when one ended because of a bug, the `error`."""
        if error is not None:
            log.error("a connection ended by a bug", exc_info=error)
            self._halt(f"unexpected {type(error).__name__}: {error}")
        self._check_idle()

    # -- the end ------------------------------------------------------------------------------------------------------

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing a connection could wait for."""
        if self.stopped:
            return True
        return self._intake.is_finished and not self._queue.claimed and not self._queue.ahead

    def _halt(self, why: str) -> None:
        if why == ASKED_TO_STOP and not self.stopped:
            # The process may end before connections that wait for a reply do.
            self._release(self._queue.close(), self._clock.now())
        self.stopped = self.stopped or why
        self._wake(everyone=True)
        self._check_idle()

    def _check_idle(self) -> None:
        """Let `run` end when nothing is under way any more."""
        if not self._connections and not self._intake.is_claiming and self.is_finished:
            self._idle.set()

    def _wake(self, *, everyone: bool = False) -> None:
        count = len(self._waiting) if everyone else min(len(self._waiting), self._queue.intended)
        for _ in range(count):
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _release(self, messages: Sequence[ClaimedMessage], due_at: datetime) -> None:
        """Give messages back that were claimed and not sent."""
        self._writer.submit(WriteBatch(results=[(one, outcomes.released(one, due_at)) for one in messages]))

    def _release_all(self) -> None:
        now = self._clock.now()
        due_at = now
        if self.stopped not in {"", ASKED_TO_STOP} and self._pause and not self.is_crowded_out:
            due_at = max(now + self._pause, self._paused_until)
        with suppress(StorageError):
            self._release(self._queue.close(), due_at)


def _milliseconds(message: QueuedMessage, at: float) -> int:
    """Return how long the server took for a message."""
    return min(max(int((at - message.started) * 1000), 0), _LONGEST)
