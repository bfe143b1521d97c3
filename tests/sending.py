"""Send messages one by one over one connection of a transport, and wait for each: what the transport tests do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

import uvloop

from digestmail.errors import TransportError
from digestmail.model.deliveries import Envelope
from digestmail.transports.base import Connection, NotSentError, Receipt, Transport
from digestmail.transports.single import _Once as Once
from digestmail.transports.single import _Outbound as Outbound
from digestmail.transports.wellformed import require_wellformed


@contextmanager
def session(transport: Transport) -> Iterator[Session]:
    """Connect; disconnect politely at the end, unless it ends with an exception. Raises TransportError."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        opened = Session(runner, transport)
        opened.connect()
        try:
            yield opened
        except BaseException as error:
            opened.close(error)
            raise
        opened.close()


class Session:
    """One connection, which is replaced when the server hung up before it could have accepted anything."""

    def __init__(self, runner: asyncio.Runner, transport: Transport) -> None:
        self._runner = runner
        self._transport = transport
        self._manager: AbstractAsyncContextManager[Connection] | None = None
        self._connection: Connection | None = None

    def connect(self) -> None:
        self._manager = self._transport.connect()
        try:
            self._connection = self._runner.run(_enter(self._manager))
        except BaseException:
            self._manager = None
            raise

    def close(self, error: BaseException | None = None) -> None:
        manager, self._manager, self._connection = self._manager, None, None
        if manager is not None:
            self._runner.run(_leave(manager, error))

    def send(self, envelope: Envelope, message: bytes) -> Receipt:
        """Send one message. Raises what a verdict is, if it is no receipt."""
        require_wellformed(envelope, message)
        try:
            return self._send(envelope, message)
        except NotSentError:
            return self._send(envelope, message)

    def _send(self, envelope: Envelope, message: bytes) -> Receipt:
        if self._connection is None:
            self.connect()
        assert self._connection is not None
        one = Outbound(envelope, message)
        try:
            self._runner.run(self._connection.send_all(Once(one)))
        except TransportError as error:
            self.close(error)
            if one.verdict is None:
                raise
        if one.verdict is None:
            self.close()
            raise NotSentError("the connection has reached its limit")
        if isinstance(one.verdict, Receipt):
            return one.verdict
        raise one.verdict


async def _enter(manager: AbstractAsyncContextManager[Connection]) -> Connection:
    return await manager.__aenter__()


async def _leave(manager: AbstractAsyncContextManager[Connection], error: BaseException | None) -> None:
    try:
        await manager.__aexit__(type(error) if error else None, error, error.__traceback__ if error else None)
    except BaseException as raised:
        if raised is not error:
            raise
