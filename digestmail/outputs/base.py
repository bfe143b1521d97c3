"""What every kind of output does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from digestmail.model.editions import Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMessage:
    """An edition on its way to an output."""

    edition: Edition
    token: str
    """Identifies the message for its receiver; the same for every attempt."""
    sent_at: datetime
    """The time of this attempt."""
    test: bool = False
    """Whether it is an example that the operator sends as a test."""


class Output(Protocol):
    """A destination for editions."""

    timeout: float
    """Seconds that one attempt may take."""
    repeatable: bool
    """Whether an edition that may have arrived can be sent again without being seen twice."""

    def send(self, message: OutputMessage) -> str:
        """Send an edition; return what the receiver said, in a few words. Raises OutputError.

        It is called in a thread of its own, which is abandoned if it does not return in time.
        """
        ...

    def problems(self) -> tuple[str, ...]:
        """Return what would make `send` fail, as far as this machine knows. Nothing is sent."""
        ...
