"""The contract every way of sending mail fulfils: connections that carry message after message."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, runtime_checkable

from digestmail.errors import DeliveryError, TransportError
from digestmail.model.deliveries import Envelope
from digestmail.transports.smtp.manners import Manners


class Receipt(NamedTuple):
    """The next hop has taken responsibility for a message (RFC 5321 section 4.2.5)."""

    code: int
    text: str


class OutcomeUnknownError(DeliveryError):
    """The server got the whole message but never answered, so it may have arrived (RFC 5321 section 6.1)."""

    def __init__(self, message: str) -> None:
        """There is no reply code, and the error counts as temporary."""
        super().__init__(message, code=None, permanent=False)


class ThrottledError(DeliveryError):
    """The server accepts less mail than it was offered. The message is not at fault; the connection stays usable."""

    def __init__(self, message: str, *, code: int, connections: bool = False) -> None:
        """With `connections`, the server wants fewer connections; otherwise a lower rate."""
        super().__init__(message, code=code, permanent=False)
        self.connections = connections


class TooLargeError(DeliveryError):
    """The message exceeds what the server announced (RFC 1870 section 6), so it was not sent, and no one refused it."""

    def __init__(self, message: str) -> None:
        """Give it the reply code that the server would give."""
        super().__init__(message, code=552, permanent=True)


class NotSentError(TransportError):
    """The connection was lost before the message could have been accepted: nothing was delivered."""


class NotTakenError(NotSentError):
    """The connection was lost for a reason that says nothing about the message or the server's health.

    The server did not accept pipelined commands, of which the next connection pipelines fewer, or it accepts less mail.
    """


Verdict = Receipt | DeliveryError | TransportError
"""What became of one message.

A DeliveryError is about this message and recipient, an OutcomeUnknownError about nobody, a ThrottledError about how
much the server takes of us, a NotSentError about this connection, and any other TransportError about us and the server.
"""


class OutboundMessage(Protocol):
    """A message that may be sent now. Whoever takes it must call `resolve` with what became of it."""

    @property
    def envelope(self) -> Envelope:
        """From whom and to whom."""
        ...

    @property
    def message(self) -> bytes:
        """The message, well formed (see `wellformed`), not yet dot-stuffed."""
        ...

    @property
    def needs_no_dot_stuffing(self) -> bool:
        """Whether it is known that no line of the message begins with a dot."""
        ...

    def resolve(self, verdict: Verdict) -> None:
        """Report what became of the message. Call it exactly once."""
        ...


class MessageSource(Protocol):
    """Where a connection gets its messages."""

    async def take(self) -> OutboundMessage | None:
        """Wait for the next message and return it, or None when the connection should end."""
        ...

    def try_take(self) -> OutboundMessage | None:
        """Return the next message if one is ready now, without waiting."""
        ...


class Connection(Protocol):
    """A connection that carries message after message."""

    async def send_all(self, source: MessageSource) -> None:
        """Send and resolve each message of `source`, until it returns None or the connection has reached its limit.

        Raises TransportError when the connection breaks. Every message taken is resolved even then.
        """
        ...


class Transport(Protocol):
    """A way of sending mail: a mail server, or a mailbox on this machine."""

    @property
    def name(self) -> str:
        """Its name in reports and limits."""
        ...

    @property
    def connections(self) -> int:
        """The most connections all workers together may open."""
        ...

    @property
    def messages_per_second(self) -> float | None:
        """The most messages a second all workers together may send; None for no limit."""
        ...

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Open one connection. Raises TransportError."""
        ...


@runtime_checkable
class Pipelining(Protocol):
    """A transport that pipelines commands, as far as its servers accept that."""

    @property
    def server(self) -> str:
        """Its address; what is learned about the server is stored under it."""
        ...

    @property
    def manners(self) -> Manners:
        """How far its servers accept pipelined commands."""
        ...
