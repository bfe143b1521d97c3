"""Two adapters between those who send one message and wait, and connections that carry many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from digestmail.errors import DeliveryError, TransportError
from digestmail.model.deliveries import Envelope
from digestmail.transports.base import (
    Connection,
    MessageSource,
    NotSentError,
    OutboundMessage,
    Receipt,
    Session,
    Transport,
    Verdict,
)
from digestmail.transports.wellformed import require_wellformed


class BlockingSession:
    """A `Session` over a connection: sends one message, waits, and connects afresh when the server hung up."""

    def __init__(self, runner: asyncio.Runner, connect: Callable[[], AbstractAsyncContextManager[Connection]]) -> None:
        """Connect nothing yet; `reconnect` does."""
        self._runner = runner
        self._connect = connect
        self._manager: AbstractAsyncContextManager[Connection] | None = None
        self._connection: Connection | None = None

    def reconnect(self) -> Connection:
        """Open a connection in place of the one there was. Raises TransportError."""
        self.close(politely=False)
        manager = self._connect()
        self._connection = self._runner.run(_entered(manager))
        self._manager = manager
        return self._connection

    def close(self, *, politely: bool) -> None:
        """End the connection, with QUIT or without a word."""
        manager, self._manager, self._connection = self._manager, None, None
        if manager is not None:
            self._runner.run(_left(manager, politely=politely))

    def send(self, envelope: Envelope, message: bytes) -> Receipt:
        """Send one message; see `Session`.

        An OutcomeUnknownError means that the server had the whole message and its answer never came.
        """
        require_wellformed(envelope, message)
        try:
            return self._send(envelope, message)
        except NotSentError:
            # Servers hang up on idle and on long-used connections. Nothing was accepted, so this repeats nothing.
            return self._send(envelope, message)

    def _send(self, envelope: Envelope, message: bytes) -> Receipt:
        connection = self._connection or self.reconnect()
        one = _One(envelope, message)
        try:
            self._runner.run(connection.send_all(_Single(one)))
        except TransportError:
            self.close(politely=False)
            if one.verdict is None:
                raise
        match one.verdict:
            case Receipt():
                return one.verdict
            case None:
                self.close(politely=True)
                raise NotSentError("the connection has served its time")
            case error:
                raise error


async def _entered(manager: AbstractAsyncContextManager[Connection]) -> Connection:
    return await manager.__aenter__()


async def _left(manager: AbstractAsyncContextManager[Connection], *, politely: bool) -> None:
    if politely:
        await manager.__aexit__(None, None, None)
        return
    over = _OverError()
    try:
        await manager.__aexit__(_OverError, over, None)
    except _OverError:
        return


class _OverError(Exception):
    """Tells a connection to end without a word."""


@dataclass(slots=True)
class _One:
    envelope: Envelope
    message: bytes
    verdict: Verdict | None = None
    needs_no_dot_stuffing: bool = False

    def settle(self, verdict: Verdict) -> None:
        self.verdict = verdict


class _Single:
    """Supplies one message."""

    def __init__(self, one: OutboundMessage) -> None:
        self._one: OutboundMessage | None = one

    async def take(self) -> OutboundMessage | None:
        return self.try_take()

    def try_take(self) -> OutboundMessage | None:
        one, self._one = self._one, None
        return one


class BlockingRelay:
    """A relay over a transport that knows only how to send one message and wait, such as a Maildir."""

    def __init__(self, transport: Transport, *, name: str) -> None:
        """Use one session of `transport`, in a thread of its own."""
        self.name = name
        self.connections = 1
        self.messages_per_second: float | None = None
        self._transport = transport

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Open the session. Raises TransportError."""
        with self._transport.open() as session:
            yield _InThread(session)


class _InThread:
    """Sends one message after the other without holding up anybody else."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def send_all(self, supply: MessageSource) -> None:
        """Carry message after message; see `Connection`."""
        while (outgoing := await supply.take()) is not None:
            verdict: Verdict
            try:
                verdict = await asyncio.to_thread(self._session.send, outgoing.envelope, outgoing.message)
            except (DeliveryError, TransportError) as error:
                verdict = error
            outgoing.settle(verdict)
            if isinstance(verdict, TransportError):
                raise verdict
