"""Compose several messages at once, or ahead in threads.

In between sending and recording, a message takes twice as long to compose: the processor has to fetch the code and the
data for it each time. So the event loop composes those that are sent in a moment one after the other.

Messages that are signed with RSA are composed ahead, in threads, because a signature takes longer than all else about a
message, and the library lets other threads run while it signs. Without such signatures, threads would mostly wait for
each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Final

from digestmail.clock import Clock
from digestmail.delivery.composers import Composers
from digestmail.delivery.message_queue import Composition, MessageQueue, MessageState, QueuedMessage
from digestmail.logs.runs import in_same_run
from digestmail.model.deliveries import Delivery

_AHEAD: Final = 6
"""Messages for each connection that are composed, or about to be. They are kept in memory, up to 100 KB each."""
_BATCH: Final = 8
"""Messages that a thread composes before it reports."""


class ComposingAhead:
    """Composes the next messages of one dispatcher. All methods are called in its event loop."""

    def __init__(
        self, composers: Composers, queue: MessageQueue, clock: Clock, on_composed: Callable[[], None]
    ) -> None:
        """`on_composed` is called in the event loop when messages of `queue` are composed."""
        self._composers = composers
        self._queue = queue
        self._clock = clock
        self._on_composed = on_composed
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(composers.threads, "composer")
        self._started: set[QueuedMessage] = set()
        self._taken = 0

    def took(self, connections: int) -> None:
        """Hear that a message was taken."""
        self._taken += 1
        if self._taken >= _BATCH:
            self.fill(connections)

    def fill(self, connections: int) -> None:
        """Have the next messages composed, unless enough of them are."""
        self._taken = 0
        self._started = {one for one in self._started if one.state in {MessageState.INTENDED, MessageState.READY}}
        room = _AHEAD * connections - len(self._started)
        now = self._clock.now()
        fresh = not_composed(self._queue)
        while batch := list(islice(fresh, max(min(_BATCH, room), 0))):
            room -= len(batch)
            for message in batch:
                message.ahead = Composition()
            self._started.update(batch)
            self._threads.submit(in_same_run(self._compose), batch, now)

    async def close(self) -> None:
        """Forget what has not begun, and wait for what has."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _compose(self, batch: list[QueuedMessage], now: datetime) -> None:
        compose(self._composers, batch, now)
        with suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(self._on_composed)


def not_composed(queue: MessageQueue) -> Iterator[QueuedMessage]:
    """Yield the INTENDED messages of editions that are not being composed. A notice is composed when it is sent."""
    return (one for one in queue.next_intended() if one.ahead is None and isinstance(one.claimed, Delivery))


def compose(composers: Composers, messages: Iterable[QueuedMessage], now: datetime) -> None:
    """Compose messages, except those that are RESOLVED. What fails concerns its message only."""
    now = now.replace(microsecond=0)  # their Date header, which is written once a second
    for message in messages:
        if message.state is MessageState.RESOLVED:
            continue
        ahead = message.ahead = message.ahead or Composition()
        try:
            ahead.composed = composers.write(message.claimed, now)
        except Exception as error:  # noqa: BLE001 - raised again when the message is taken
            ahead.error = error
        ahead.is_done = True
