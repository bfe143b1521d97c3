"""What composes messages, one composer for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from digestmail.model.deliveries import ClaimedMessage, Delivery, Envelope, Notice

_Kind_contra = TypeVar("_Kind_contra", contravariant=True)


class MessageComposer(Protocol[_Kind_contra]):
    """Composes the messages of one kind."""

    def write(self, claimed: _Kind_contra, now: datetime, /) -> tuple[Envelope, bytes] | None:
        """Return the envelope and the message, or None if it is no longer needed.

        The message must be well formed and end with CRLF, and no line may begin with a dot. Raises RenderError or
        DeliveryError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Composers:
    """What composes each kind of message."""

    editions: MessageComposer[Delivery]
    notices: MessageComposer[Notice]
    threads: int = 0
    """How many threads compose editions ahead, because signing takes longer than sending; 0: none."""

    def write(self, claimed: ClaimedMessage, now: datetime) -> tuple[Envelope, bytes] | None:
        """Compose with the composer for this kind of message; see `MessageComposer`."""
        return self.editions.write(claimed, now) if isinstance(claimed, Delivery) else self.notices.write(claimed, now)
