"""Compose several messages at once, or ahead in threads.

In between sending and recording, a message takes twice as long to compose: the processor has to fetch the code and the
data for it each time. So the event loop composes those that are sent in a moment one after the other.

Messages that are signed with RSA are composed ahead, in threads, because a signature takes longer than all else about a
message, and the library lets other threads run while it signs. Without such signatures, threads would mostly wait for
each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Final

from digestmail.clock import Clock
from digestmail.delivery.composers import Composers
from digestmail.delivery.lead import Lead
from digestmail.delivery.message_queue import Composition, MessageQueue, MessageState, QueuedMessage
from digestmail.logs.runs import in_same_run
from digestmail.model.deliveries import Delivery

_AHEAD: Final = 6
"""Messages for each connection that threads compose, or have composed. They are in memory, up to 100 KB each."""
_BATCH: Final = 8
"""Messages that a thread composes before it reports."""


class ComposingAhead:
    """Composes the next messages of one dispatcher. All methods are called in its event loop."""

    def __init__(
        self, composers: Composers, queue: MessageQueue, clock: Clock, on_composed: Callable[[], None]
    ) -> None:
        """`on_composed` is called in the event loop when threads have composed messages of `queue`."""
        self._composers = composers
        self._queue = queue
        self._clock = clock
        self._on_composed = on_composed
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(composers.threads, "composer") if composers.threads else None
        self._started: set[QueuedMessage] = set()
        self._taken = 0

    def composition(self, message: QueuedMessage, now: datetime, lead: Lead, connections: int) -> Composition:
        """Return what becomes of a message that is to be sent now. A thread may still be composing it.

        Without threads, the next messages are composed with it, if `lead` says that they are sent in a moment.
        """
        composition = message.ahead
        if composition is None:
            message.ahead = composition = Composition()
            alone = self._threads is not None or not isinstance(message.claimed, Delivery)
            self._compose([message, *islice(self._not_composed(), 0 if alone else lead.at_once - 1)], now)
        if self._threads is not None and composition.is_done:
            self._taken += 1
            if self._taken >= _BATCH:
                self.fill(connections)
        return composition

    def fill(self, connections: int) -> None:
        """Have threads compose the next messages, unless enough of them are composed."""
        if self._threads is None:
            return
        self._taken = 0
        self._started = {one for one in self._started if one.state in {MessageState.INTENDED, MessageState.READY}}
        room = _AHEAD * connections - len(self._started)
        now = self._clock.now()
        fresh = self._not_composed()
        while batch := list(islice(fresh, max(min(_BATCH, room), 0))):
            room -= len(batch)
            for message in batch:
                message.ahead = Composition()
            self._started.update(batch)
            self._threads.submit(in_same_run(self._compose_in_thread), batch, now)

    async def close(self) -> None:
        """Forget what threads have not begun, and wait for what they have."""
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _not_composed(self) -> Iterator[QueuedMessage]:
        """Yield the next messages that are not being composed. A notice is composed when it is sent."""
        return (one for one in self._queue.next_intended() if one.ahead is None and isinstance(one.claimed, Delivery))

    def _compose_in_thread(self, batch: list[QueuedMessage], now: datetime) -> None:
        self._compose(batch, now)
        with suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(self._on_composed)

    def _compose(self, messages: list[QueuedMessage], now: datetime) -> None:
        """Compose messages, except those that are RESOLVED. What fails concerns its message only."""
        now = now.replace(microsecond=0)  # their Date header, which is written once a second
        for message in messages:
            if message.state is MessageState.RESOLVED:
                continue
            ahead = message.ahead = message.ahead or Composition()
            try:
                ahead.composed = self._composers.write(message.claimed, now)
            except Exception as error:  # noqa: BLE001 - raised again when the message is sent
                ahead.error = error
            ahead.is_done = True
