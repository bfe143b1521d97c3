"""Dispatch: keep the connections busy with messages whose intents are committed, and commit their results.

The states of a message, and what moves it on:

    claimed     the database gave it to this worker for the time of the lease   (`_claimed`)
       |
    pool        it waits for its turn, domain by domain                          (`ReadyQueue`)
       |
    asked       its intent is on the way to the database                        (`_order`)
       |           +-- refused: lease over, subscriber gone, recalled -> released (`_not_armed`)
    ready       the intent is committed; a connection may take it                (`_on_commit`)
       |           +-- the intent is older than a minute -> asked again         (`_stale`)
    in flight   a connection has it                                              (`try_take`)
       |           +-- connection lost before the final dot -> ready again      (`_lost`)
    settled     the verdict is known                                             (`settle`)
       |
    recorded    the verdict is committed                                         (`_on_commit`)

At the end what is in the pool, asked or ready is released: nothing of it was on the wire. Everything here runs in one
event loop; only the outbox writer has a thread of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from digestmail.clock import Clock
from digestmail.delivery import outcomes, pacing
from digestmail.delivery.common_refusal import DOMAINS, Suspicion
from digestmail.delivery.connections import LOST_TWICE, ConnectionPool
from digestmail.delivery.outbox_writer import Committed, OutboxWriter
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.queued_message import MessageComposer, QueuedMessage
from digestmail.delivery.ready_queue import ReadyQueue
from digestmail.delivery.throttle import PATIENCE, Throttle
from digestmail.errors import DeliveryError, RenderError, StorageError, TransportError
from digestmail.model.deliveries import Attempted, Delivery, Manner
from digestmail.storage.rates import Pause
from digestmail.storage.servers import ServerObservation
from digestmail.transports.base import (
    NotSentError,
    NotTakenError,
    OutcomeUnknownError,
    Pipelining,
    Receipt,
    Relay,
    ThrottledError,
    Verdict,
)

log = logging.getLogger("digestmail.deliver")

AHEAD = 8
"""Messages a connection may have armed: what a crash may leave ambiguous, against how often the ledger must commit."""
_FIRST_CLAIM, _MOST_CLAIMED = 100, 2000
_FRESH = timedelta(minutes=1)
"""An intent older than this is asked for anew: the lease must outlast the answer to the final dot."""
_LONGEST = 2**31 - 1
"""Milliseconds a column holds; a record must not fail over a duration."""
_BEHIND = timedelta(minutes=1)
"""So long after the others are those due that were refused alike: whoever can be reached comes first."""
_LINGER = timedelta(seconds=60)
"""A run waits for deliveries that are due so soon; what is put off for longer is for the next one."""


class Dispatcher:
    """One worker's deliveries, from the first claim to the last record."""

    def __init__(  # noqa: PLR0913 - its collaborators, put together in one place
        self,
        ledger: OutboxWriter,
        relay: Relay,
        letters: MessageComposer,
        clock: Clock,
        rules: Rules,
        *,
        connections: int,
        domains: dict[str, int],
        manners: Mapping[str, Manner],
        pause: timedelta,
        random: Random,
        stop: Callable[[], bool],
        recorded: Callable[[Delivery, Attempted, bool], None],
        reopened: Callable[[int], None],
    ) -> None:
        """Use at most `connections` of `relay`, and of them at most `domains[d]` at once for recipients in domain d.

        `manners` is what is on record of the relay's servers. `pause` is how long what was not sent waits when the
        relay breaks. `recorded` hears of every result that was committed, and whether it was written; `reopened` how
        many of those that had failed are open again.
        """
        self._ledger = ledger
        self._relay = relay
        self._letters = letters
        self._clock = clock
        self._rules = rules
        self._connections = connections
        self._manners = manners
        self._pause = pause
        self._random = random
        self._stop = stop
        self._recorded = recorded
        self._reopened = reopened
        self._pool = ReadyQueue(domains)
        self._asked: dict[tuple[int, int, int], Delivery] = {}
        self._ready: deque[QueuedMessage] = deque()
        self._in_flight = 0
        self._results: list[tuple[Delivery, Attempted]] = []
        self._ordering = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._claiming = False
        self._claim_next = _FIRST_CLAIM
        self._exhausted = False
        self._lanes = ConnectionPool(relay, self, most=connections)
        self._timer: asyncio.Task[None] | None = None
        self._began = clock.now()
        self._throttle = Throttle(clock.monotonic())
        self._suspicion = Suspicion(rules.give_up)
        self._most_taken: int | None = None
        """How many connections the relay takes messages over at once, as far as it said."""
        self._recalled: set[tuple[int, int, int]] = set()
        self._left_alone_until = self._began
        self.stopped = ""
        self.relay_broke = False
        """Whether it is the relay that stopped it."""
        self.trouble: StorageError | None = None

    async def run(self) -> None:
        """Deliver until nothing is due, somebody says stop, or the way out breaks."""
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        if isinstance(self._relay, Pipelining):
            self._relay.manners.begin(self._manners, self._learned)
        self._ledger.start(self._post)
        self._claim()
        await self._idle.wait()
        await self._lanes.closed()
        if self._timer is not None:
            self._timer.cancel()
        self._order()
        self._give_everything_back()
        await asyncio.to_thread(self._ledger.finish)
        await asyncio.sleep(0)  # what the ledger said last is heard

    def _post(self, committed: Committed | StorageError) -> None:
        """Pass on, from the ledger's thread to the loop, what was committed."""
        self._loop.call_soon_threadsafe(self._on_commit, committed)

    # -- what a connection asks ---------------------------------------------------------------------------------------

    async def take(self) -> QueuedMessage | None:
        """Wait for the next message; None when this connection is to end."""
        while True:
            outgoing = self.try_take()
            if outgoing is not None or self.over():
                return outgoing
            waiter = self._loop.create_future()
            self._waiting.append(waiter)
            await waiter

    def try_take(self) -> QueuedMessage | None:
        """Return the next message if one is ready this moment."""
        while self._ready and not self.stopped:
            if self._stop():
                self._halt("asked to stop")
                return None
            outgoing = self._ready.popleft()
            now = self._clock.now()
            if not self._stale(outgoing, now) and self._written(outgoing, now):
                self._in_flight += 1
                outgoing.began = self._clock.monotonic()
                outgoing.settled = False
                return outgoing
        return None

    def _stale(self, outgoing: QueuedMessage, now: datetime) -> bool:
        """Ask anew for an intent that has waited, behind a slow server or a clock that jumped."""
        if abs(now - outgoing.armed_at) <= _FRESH:
            return False
        delivery = outgoing.delivery
        self._asked[delivery.claim] = delivery
        self._ledger.order(record_intent=[delivery])
        return True

    def settle(self, outgoing: QueuedMessage, verdict: Verdict) -> None:
        """Take the verdict on a message in flight."""
        self._in_flight -= 1
        if isinstance(verdict, NotSentError):
            self._lost(outgoing, verdict)
        else:
            if not isinstance(verdict, TransportError):
                self._lanes.reset_failures()
            self._record_result(outgoing, verdict)
            self._weigh(outgoing, verdict)
        self._order_soon()

    def _weigh(self, outgoing: QueuedMessage, verdict: Verdict) -> None:
        """Look at what a verdict says about us and the relay."""
        match verdict:
            case Receipt():
                self._throttle.accept(self._clock.monotonic())
                self._suspicion.accept(outgoing.delivery.address)
            case ThrottledError():
                self._throttled(outgoing, verdict)
            case OutcomeUnknownError():
                pass
            case DeliveryError():
                alike = self._suspicion.refuse(outgoing.delivery, verdict, self._clock.now())
                if alike:
                    self._blame_nobody(alike, verdict)

    def _record_result(self, outgoing: QueuedMessage, verdict: Verdict) -> None:
        now = self._clock.now()
        milliseconds = min(max(int((self._clock.monotonic() - outgoing.began) * 1000), 0), _LONGEST)
        result = outcomes.attempted(outgoing.delivery, verdict, self._rules, now, self._random, milliseconds)
        if isinstance(verdict, TransportError) and verdict.pause is not None:
            # Surely not this message's fault: it need not go behind the others, and another relay may have it at once.
            result = replace(result, due_at=self._until(verdict, now) if self._pause else now)
        self._results.append((outgoing.delivery, result))
        self._pool.release(outgoing.delivery)
        self._order_soon()
        if (slow := outcomes.throttle_key(verdict, self._relay.name, outgoing.delivery.address)) is not None:
            self._ledger.order(slow=slow)

    def _throttled(self, outgoing: QueuedMessage, error: ThrottledError) -> None:
        """Give the relay less: a connection fewer, or the pace it was seen to take; what was to go faster goes back."""
        at = self._clock.monotonic()
        self._exhausted = False  # this one is due again in a moment
        outgoing.crowded = error.connections and len(self._lanes) > 1
        per_second = self._throttle.refuse(at)
        if self._throttle.is_stuck(at):
            self.broken(TransportError(f"nothing was accepted for {PATIENCE:.0f} s: {error}", code=error.code))
        elif per_second is not None and not outgoing.crowded:
            share = pacing.share(per_second, self._relay.messages_per_second)
            self._ledger.order(slow=f"relay:{self._relay.name}", measured=share)
            self._recall()

    def _recall(self) -> None:
        """Give back what was claimed at the old pace."""
        now = self._clock.now()
        left = self._pool.drain()
        while self._ready:
            delivery = self._ready.popleft().delivery
            self._pool.release(delivery)
            left.append(delivery)
        self._recalled |= self._asked.keys()
        self._ledger.order(results=[(one, outcomes.released(one, now)) for one in left])

    def _blame_nobody(self, refused: Sequence[tuple[Delivery, DeliveryError]], error: DeliveryError) -> None:
        """Open again what failed for no fault of the recipients, and leave the relay alone."""
        said = f"recipients at {DOMAINS} domains were refused alike, so it is about us and none of them failed: {error}"
        self.broken(TransportError(said, code=error.code))
        self._order()  # their results come first
        due_at = self._left_alone_until + _BEHIND
        results = [(one, outcomes.reopened(str(why), why.code, due_at)) for one, why in refused]
        self._ledger.order(reopen=results)

    def _lost(self, outgoing: QueuedMessage, error: NotSentError) -> None:
        """Nothing was delivered: the message goes first over the next connection, its intent still stands."""
        if not isinstance(error, NotTakenError):
            outgoing.lost += 1
        if outgoing.lost < LOST_TWICE:
            self._ready.appendleft(outgoing)
            self._wake()
        else:
            self._record_result(outgoing, TransportError(str(error), code=error.code))

    # -- from the pool to ready ---------------------------------------------------------------------------------------

    def _written(self, outgoing: QueuedMessage, now: datetime) -> bool:
        """Write the message, if it can be written."""
        delivery = outgoing.delivery
        if outgoing.written:
            return True
        try:
            outgoing.envelope, outgoing.message = self._letters.write(delivery, now)
        except RenderError as error:
            self._unwritable(outgoing, TransportError(str(error)))
            self._halt(str(error))
        except DeliveryError as error:
            self._unwritable(outgoing, error)
        except Exception as error:
            # A bug met on one recipient's mail must not cost the others theirs; it is logged whole and tried again.
            log.exception("edition=%d subscriber=%d", delivery.edition_id, delivery.subscriber_id)
            text = f"unexpected {type(error).__name__}: {error}"
            self._unwritable(outgoing, DeliveryError(text, code=None, permanent=False))
        else:
            outgoing.written = True
        return outgoing.written

    def _unwritable(self, outgoing: QueuedMessage, error: DeliveryError | TransportError) -> None:
        outgoing.began = self._clock.monotonic()
        self._record_result(outgoing, error)

    def _order_soon(self) -> None:
        """Order once for all that happens in one turn of the event loop."""
        if not self._ordering:
            self._ordering = True
            self._loop.call_soon(self._order)

    def _order(self) -> None:
        """Have results written down, and ask for intents and for more deliveries before they run out."""
        self._ordering = False
        results, self._results = self._results, []
        intended = self._in_flight + len(self._ready) + len(self._asked)
        batch = [] if self.stopped else self._pool.take(AHEAD * self._connections - intended)
        self._asked.update((one.claim, one) for one in batch)
        if results or batch:
            self._ledger.order(results=results, record_intent=batch)
        if self._pool.next_to_come < self._claim_next // 2 and not self._exhausted:
            self._claim()
        if self.over():
            self._wake(everybody=True)

    def _claim(self) -> None:
        if self._claiming or self.stopped:
            return
        if self._stop():
            self._halt("asked to stop")
            return
        self._claiming = True
        self._ledger.order(claim=self._claim_next)

    def _on_commit(self, committed: Committed | StorageError) -> None:
        """Hear of a commit."""
        if isinstance(committed, StorageError):
            self.trouble = committed
            self._claiming = False
            self._asked.clear()
            self._halt(str(committed))
            return
        for delivery, result in committed.results:
            self._recorded(delivery, result, delivery.claim not in committed.lost)
        if committed.reopened:
            self._reopened(committed.reopened)
        for delivery in committed.asked:
            self._asked.pop(delivery.claim, None)
            is_recalled = delivery.claim in self._recalled
            self._recalled.discard(delivery.claim)
            if delivery.claim in committed.intended and not is_recalled:
                self._ready.append(QueuedMessage(self, delivery, committed.at))
            else:
                self._not_armed(delivery)
        if isinstance(self._relay, Pipelining):
            self._relay.manners.hear(committed.trials, committed.claimed.manners if committed.claimed else {})
        if committed.claimed is not None:
            self._claiming = False
            for delivery, result in committed.claimed.rest:
                self._recorded(delivery, result, True)  # noqa: FBT003 - it was written with the claim
            granted = committed.claimed.granted
            self._granted(granted.get(f"relay:{self._relay.name}"))
            self._pool.limit({key.removeprefix("domain:"): most for key, most in granted.items()})
            self._claimed(committed.claimed.go, committed.claimed.rest, committed.claimed.next_due_at)
        self._wake()
        self._order()
        self._check_idle()

    def _granted(self, connections: int | None) -> None:
        """Use as many connections as were granted anew, if they were; one more than the relay took, to try it."""
        if connections is None:
            return
        if self._most_taken is not None:
            self._most_taken += 1
            connections = min(connections, self._most_taken)
        self._connections = connections
        self._lanes.set_limit(connections)

    def _not_armed(self, delivery: Delivery) -> None:
        """Give back what may not go: the lease runs out, the subscriber left, or another worker has the delivery.

        The next claim looks again, and cancels what nobody wants.
        """
        self._ledger.order(results=[(delivery, outcomes.released(delivery, self._clock.now()))])
        self._pool.release(delivery)
        self._exhausted = False

    def _claimed(
        self, go: Sequence[Delivery], rest: Sequence[tuple[Delivery, Attempted]], next_due_at: datetime | None
    ) -> None:
        self._pool.add(go)
        if go or rest:
            if len(go) + len(rest) >= self._claim_next:
                self._claim_next = min(self._claim_next * 2, _MOST_CLAIMED)
            if not self.stopped:
                self._lanes.grow_to(min(self._connections, len(self._pool) + len(self._ready) + len(self._asked)))
            return
        self._exhausted = True
        if next_due_at is not None and next_due_at - self._clock.now() <= _LINGER and not self.stopped:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.create_task(self._linger(next_due_at))

    async def _linger(self, until: datetime) -> None:
        """Wait for what is due soon, such as what a rate has put off."""
        # By the clock that never jumps: set back meanwhile, the other one would have it wait for a year.
        ends = self._clock.monotonic() + (until - self._clock.now()).total_seconds()
        while (left := ends - self._clock.monotonic()) > 0 and not self._stop():
            await asyncio.to_thread(self._clock.sleep, min(max(left, 0.01), 1.0))
        self._timer = None
        self._exhausted = False
        self._claim()
        self._check_idle()

    def _learned(self, face: str, manner: Manner) -> None:
        """Have what a connection learned of the server written down, or ask for a trial."""
        if isinstance(self._relay, Pipelining):
            self._ledger.order(seen=ServerObservation(server=self._relay.server, face=face, manner=manner))

    # -- what the lanes tell ------------------------------------------------------------------------------------------

    def crowded(self) -> None:
        """Hear that the relay has connections enough."""
        self._ledger.order(slow=f"relay:{self._relay.name}")

    def narrowed(self, most: int) -> None:
        """Hear that the relay takes messages over no more than `most` connections at once."""
        log.info("%s takes messages over fewer connections: going on with %d", self._relay.name, most)
        self._most_taken = self._connections = most

    def broken(self, error: TransportError) -> None:
        """Leave the relay alone for a while: nobody's address is to blame."""
        self._left_alone_until = until = self._until(error, self._clock.now())
        self._ledger.order(pause=Pause(key=f"relay:{self._relay.name}", until=until, reason=str(error)))
        self.relay_broke = True
        self._halt(str(error))

    def _until(self, error: TransportError, now: datetime) -> datetime:
        """Return until when the relay is left alone.

        A quota began to fill up when this run began, at the latest; whole minutes let in tomorrow's run.
        """
        until = now + outcomes.PAUSE
        if error.pause is not None:
            until = max(until, (self._began + error.pause).replace(second=0, microsecond=0))
        return until

    def on_closed(self, error: BaseException | None) -> None:
        """Hear that a lane is closed, by a bug if there is an `error`."""
        if error is not None:
            log.error("a connection ended by a bug", exc_info=error)
            self._halt(f"unexpected {type(error).__name__}: {error}")
        self._check_idle()

    # -- the end ------------------------------------------------------------------------------------------------------

    def over(self) -> bool:
        """Return whether there is nothing a connection could wait for."""
        if self.stopped:
            return True
        busy = self._pool or self._asked or self._ready or self._claiming or self._timer
        return self._exhausted and not busy and not self._in_flight

    def _halt(self, why: str) -> None:
        self.stopped = self.stopped or why
        self._wake(everybody=True)
        self._check_idle()

    def _check_idle(self) -> None:
        """Let `run` go on when nothing is under way any more."""
        if not self._lanes and not self._claiming and self.over():
            self._idle.set()

    def _wake(self, *, everybody: bool = False) -> None:
        count = len(self._waiting) if everybody else min(len(self._waiting), len(self._ready))
        for _ in range(count):
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _give_everything_back(self) -> None:
        """Put what was claimed and not sent back into the outbox."""
        now = self._clock.now()
        due_at = now
        if self.stopped not in {"", "asked to stop"} and self._pause:
            due_at = max(now + self._pause, self._left_alone_until)
        left = [*self._pool.drain(), *self._asked.values(), *(one.delivery for one in self._ready)]
        with suppress(StorageError):
            self._ledger.order(results=[(one, outcomes.released(one, due_at)) for one in left])
