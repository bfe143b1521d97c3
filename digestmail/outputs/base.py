"""What every kind of output does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from digestmail.model.editions import Edition
from digestmail.text.counts import counted


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What the operator should know: problems that began, and problems that are over."""

    token: str
    """Identifies the alert for its receiver."""
    sent_at: datetime
    began: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Return what it is about, in a few words."""
        parts = [counted(len(self.began), "problem")] if self.began else []
        parts += [f"{counted(len(self.ended), 'problem')} solved"] if self.ended else []
        return f"digestmail: {', '.join(parts)}"

    @property
    def lines(self) -> tuple[str, ...]:
        """Return a line for each problem."""
        return (*self.began, *(f"Solved: {problem}" for problem in self.ended))


class AlertOutput(Protocol):
    """A destination for alerts."""

    timeout: float
    """Seconds that sending may take."""

    def send_alert(self, alert: Alert) -> str:
        """Send an alert; return what the receiver said, in a few words. Raises OutputError.

        It is called in a thread of its own, which is abandoned if it does not return in time.
        """
        ...


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
