"""What the pipeline asks of a transport."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from digestmail.model import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The next hop took responsibility for a message (RFC 5321 section 4.2.5)."""

    code: int
    text: str


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
