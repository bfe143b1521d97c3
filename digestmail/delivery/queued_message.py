"""A message on its way from the outbox to a connection, and what writes it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from digestmail.model.deliveries import Delivery, Envelope
from digestmail.transports.base import (
    Verdict,
)


class MessageComposer(Protocol):
    """Writes the message of one delivery."""

    def write(self, delivery: Delivery, now: datetime) -> tuple[Envelope, bytes]:
        """Return the envelope and the message: well formed, ending with CRLF, no line beginning with a dot.

        Raises RenderError or DeliveryError.
        """
        ...


class Settles(Protocol):
    """Takes the verdict on a message in flight."""

    def settle(self, outgoing: QueuedMessage, verdict: Verdict) -> None:
        """Take the verdict."""
        ...


class QueuedMessage:
    """A message on its way; a connection settles it."""

    __slots__ = (
        "_dispatch",
        "armed_at",
        "began",
        "crowded",
        "delivery",
        "envelope",
        "lost",
        "message",
        "settled",
        "wave",
        "written",
    )
    needs_no_dot_stuffing = True

    def __init__(self, dispatch: Settles, delivery: Delivery, armed_at: datetime) -> None:
        """Belong to `dispatch`; it writes envelope and message right before they go out."""
        self._dispatch = dispatch
        self.armed_at = armed_at
        self.delivery = delivery
        self.began = 0.0
        self.lost = 0
        self.crowded = False
        self.settled = False
        self.wave = 0
        self.written = False
        self.envelope: Envelope
        self.message: bytes

    def settle(self, verdict: Verdict) -> None:
        """Take the verdict."""
        self.settled = True
        self._dispatch.settle(self, verdict)
