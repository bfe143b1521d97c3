"""What the pipeline asks of a transport."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from digestmail.errors import DeliveryError, TransportError
from digestmail.model.deliveries import Envelope
from digestmail.transports.smtp.manners import Manners


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The next hop took responsibility for a message (RFC 5321 section 4.2.5)."""

    code: int
    text: str


class OutcomeUnknownError(DeliveryError):
    """The server had the whole message and its answer never came: it may have arrived (RFC 5321 section 6.1)."""

    def __init__(self, message: str) -> None:
        """There is no code, and nobody can say that it is permanent."""
        super().__init__(message, code=None, permanent=False)


class ThrottledError(DeliveryError):
    """The server takes less of us than it was given: nobody's fault, and the connection stays usable."""

    def __init__(self, message: str, *, code: int, connections: bool = False) -> None:
        """Say with `connections` that there are too many of them; else it is the pace."""
        super().__init__(message, code=code, permanent=False)
        self.connections = connections


class NotSentError(TransportError):
    """The connection was lost before the message could have been accepted: nothing was delivered."""


class NotTakenError(NotSentError):
    """The server did not take commands ahead of its replies: nothing was delivered.

    The next connection sends fewer of them together; neither the message nor the server's health is in question.
    """


Verdict = Receipt | DeliveryError | TransportError
"""What became of one message.

A DeliveryError is about this message and recipient, an OutcomeUnknownError about nobody, a ThrottledError about how
much the server takes of us, a NotSentError about this connection, and any other TransportError about us and the server.
"""


class Session(Protocol):
    """An open way out; messages go through one after the other."""

    def send(self, envelope: Envelope, message: bytes) -> Receipt:
        """Send one message (CRLF line ends, at most 998 octets a line).

        Raises DeliveryError when this message was not accepted for this recipient (the session stays usable), and
        TransportError when the way out itself is broken (the session is of no more use).
        """
        ...


class Transport(Protocol):
    """Opens sessions. Nothing is connected before `open`."""

    def open(self) -> AbstractContextManager[Session]:
        """Open a session. Raises TransportError."""
        ...


# -- many messages at once -------------------------------------------------------------------------------------------


class OutboundMessage(Protocol):
    """A message whose intent is on record: it may go over the wire, and `settle` must hear what became of it."""

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

    def settle(self, verdict: Verdict) -> None:
        """Take the verdict; called once."""
        ...


class MessageSource(Protocol):
    """Where a connection gets its messages."""

    async def take(self) -> OutboundMessage | None:
        """Wait for the next message; None when this connection is to end."""
        ...

    def try_take(self) -> OutboundMessage | None:
        """Return the next message if one is ready this moment."""
        ...


class Connection(Protocol):
    """A connection that carries message after message."""

    async def send_all(self, supply: MessageSource) -> None:
        """Carry what `supply` gives, and settle each, until it gives None or the connection has served its time.

        Raises TransportError when the connection breaks; every message taken is settled all the same.
        """
        ...


class Relay(Protocol):
    """A mail server that takes our mail over several connections."""

    @property
    def name(self) -> str:
        """What it is called in reports and limits."""
        ...

    @property
    def connections(self) -> int:
        """How many connections it may be asked for, over all workers."""
        ...

    @property
    def messages_per_second(self) -> float | None:
        """How fast it may be used, over all workers; None: as fast as it takes them."""
        ...

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Open one connection. Raises TransportError."""
        ...


@runtime_checkable
class Pipelining(Protocol):
    """A relay that pipelines commands, as far as its servers take it."""

    @property
    def server(self) -> str:
        """Where it is: what is learned about it is remembered under this name."""
        ...

    @property
    def manners(self) -> Manners:
        """How far its servers take pipelined commands."""
        ...
