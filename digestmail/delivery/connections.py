"""The connections to one transport: open them, reopen lost ones, and have as many as the server accepts."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Protocol

from digestmail.delivery.message_queue import QueuedMessage
from digestmail.errors import TransportError
from digestmail.transports.base import (
    Connection,
    NotSentError,
    NotTakenError,
    OutcomeUnknownError,
    Transport,
    Verdict,
)

log = logging.getLogger("digestmail.deliver")

LOST_TWICE = 2
"""After this many lost connections, a message is deferred and the server is left alone for a while."""
_REMEMBERED = 4
"""Messages a connection remembers; at most two are ever unresolved."""
_NARROWER = 4
"""Each step closes a fourth of the connections: from sixteen to three in seven steps, and rarely one too many."""


class PoolListener(Protocol):
    """Supplies the messages, and is told about the connections."""

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing a connection could wait for."""
        ...

    @property
    def is_sharing(self) -> bool:
        """Whether other workers have connections to the same server."""
        ...

    async def take(self) -> QueuedMessage | None:
        """Wait for the next message; None when the connection should end."""
        ...

    def try_take(self) -> QueuedMessage | None:
        """Return the next message if one may be sent now."""
        ...

    def on_too_many_connections(self) -> None:
        """React to a server that accepts no further connection."""
        ...

    def on_crowded_out(self, error: TransportError) -> None:
        """React to a server that accepts no connection, because other workers have all that it accepts."""
        ...

    def on_narrowed(self, most: int) -> None:
        """React to a server that accepts messages over at most `most` connections at once."""
        ...

    def on_broken(self, error: TransportError) -> None:
        """React to a server that cannot be used for now."""
        ...

    def on_closed(self, error: BaseException | None) -> None:
        """React to the end of a connection; with an `error`, it ended because of a bug."""
        ...


class ConnectionPool:
    """Keeps connections open. Every message that one of them takes is resolved, whatever happens."""

    def __init__(self, transport: Transport, listener: PoolListener, *, most: int) -> None:
        """Open nothing yet, and never more than `most`."""
        self._transport = transport
        self._listener = listener
        self._tasks: set[asyncio.Task[None]] = set()
        self._most = most
        self._connected = 0
        self._losses = 0
        self._most_losses = LOST_TWICE
        self._leaving: set[asyncio.Task[None]] = set()
        """Those that are to end after the message in hand."""
        self._wanted = 0
        self._has_connected = False
        self.wave = 0
        """How often the number of connections was reduced."""

    def __len__(self) -> int:
        """Return the number of connections, open or being opened."""
        return len(self._tasks)

    def grow_to(self, wanted: int) -> None:
        """Open connections until there are `wanted`; only one until the first has logged in.

        If the password is wrong, the server sees one failed login instead of many, which might lock the account.
        """
        self._wanted = wanted
        self._most_losses = LOST_TWICE * max(wanted, len(self._tasks), 1)
        while len(self._tasks) < (wanted if self._has_connected else min(wanted, 1)):
            task = asyncio.get_running_loop().create_task(self._keep_open())
            self._tasks.add(task)
            task.add_done_callback(self._on_done)

    def set_limit(self, most: int) -> None:
        """Have at most `most` from now on. A connection too many ends after the message in hand."""
        self._most = most

    def narrow(self, wave: int) -> bool:
        """Reduce the connections by a fourth, and by one at least; return whether the caller's connection should end.

        The server said of a message, taken in `wave`, that there are too many connections. What was taken while
        surplus connections were still open says nothing about those that stay.
        """
        if wave == self.wave and len(self._tasks) <= self._most:
            self._most = max(len(self._tasks) - max(len(self._tasks) // _NARROWER, 1), 1)
            self.wave += 1
            self._listener.on_narrowed(self._most)
        return self.leave()

    def leave(self) -> bool:
        """Return whether the caller's connection should end, because there are too many."""
        if len(self._tasks) - len(self._leaving) <= self._most:
            return False
        self._leaving.add(_this_task())
        return True

    def reset_failures(self) -> None:
        """Count lost connections anew: the server has answered."""
        self._losses = 0

    async def wait_closed(self) -> None:
        """Wait until every connection has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._leaving.discard(task)
        self._listener.on_closed(None if task.cancelled() else task.exception())

    async def _keep_open(self) -> None:
        """Keep one connection open for as long as there are messages for it."""
        while not self._listener.is_finished:
            if self._ends_here():
                return
            try:
                async with self._transport.connect() as connection:
                    self._connected += 1
                    if not self._has_connected:
                        self._has_connected = True
                        self.grow_to(min(self._wanted, self._most))
                    try:
                        await self._use(connection)
                    finally:
                        self._connected -= 1
            except NotTakenError as error:
                log.info("%s: %s", self._transport.name, error)
            except NotSentError as error:
                self._losses += 1
                if self._losses > self._most_losses:
                    self._listener.on_broken(error)
            except TransportError as error:
                if self._connected and _is_transient(error):
                    # A server that has enough connections refuses more; the open ones go on.
                    self._listener.on_too_many_connections()
                    return
                self._on_refused(error)

    def _ends_here(self) -> bool:
        """Return whether this connection is not to be opened again, because there are too many."""
        task = _this_task()
        self._leaving.discard(task)
        if len(self._tasks) <= self._most:
            return False
        self._tasks.discard(task)
        if len(self._tasks) <= self._most:
            self.wave += 1
        return True

    def _on_refused(self, error: TransportError) -> None:
        if self._listener.is_sharing and _is_transient(error):
            self._listener.on_crowded_out(error)
        else:
            self._listener.on_broken(error)

    async def _use(self, connection: Connection) -> None:
        source = _ConnectionSource(self._listener, self)
        try:
            await connection.send_all(source)
        except TransportError:
            raise
        except Exception as error:
            # A bug met on one message must not cost the others theirs; it is logged with its traceback.
            log.exception("a connection ended by a bug")
            source.close(OutcomeUnknownError(f"unexpected {type(error).__name__}: {error}"))
        finally:
            source.close(NotSentError("the connection ended"))


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a connection is used outside of its task")
    return task


def _is_transient(error: TransportError) -> bool:
    return error.code is not None and error.code // 100 == 4  # noqa: PLR2004 - RFC 5321 section 4.2.1


class _ConnectionSource:
    """Where one connection gets its messages, and which of them are not resolved yet."""

    def __init__(self, listener: PoolListener, pool: ConnectionPool) -> None:
        self._listener = listener
        self._pool = pool
        self._taken: deque[QueuedMessage] = deque(maxlen=_REMEMBERED)
        self._is_leaving = False
        self.crowded_in: int | None = None
        """In which wave it took the last message, if the server said of it that there are too many connections."""
        self.has_delivered = False

    async def take(self) -> QueuedMessage | None:
        return None if self._leaves() else self._keep(await self._listener.take())

    def try_take(self) -> QueuedMessage | None:
        return None if self._leaves() else self._keep(self._listener.try_take())

    def _leaves(self) -> bool:
        """Return whether this connection should end, because there are too many, which the server may have said."""
        if not self._is_leaving:
            crowded = self.crowded_in is not None and self._pool.narrow(self.crowded_in)
            self._is_leaving = crowded or self._pool.leave()
        return self._is_leaving

    def _keep(self, message: QueuedMessage | None) -> QueuedMessage | None:
        if message is not None:
            message.taken_by = self
            message.wave = self._pool.wave
            self._taken.append(message)
        return message

    def close(self, verdict: Verdict) -> None:
        """Resolve what the connection took and never resolved."""
        for message in self._taken:
            if message.taken_by is self:
                message.resolve(verdict)
        if self.crowded_in is not None and not self._is_leaving:
            self._pool.narrow(self.crowded_in)  # the server closed it because there are too many
