"""Throttle: how much a mail server takes of this worker, measured by what it accepted. Pure: time is an argument."""

from __future__ import annotations

from collections import deque

PATIENCE = 65.0
"""Seconds in which a server that throttles has to accept something: limits by the minute let something in again."""
_APART = 2.0
"""Seconds in which further refusals belong to the first: they were on their way when it came."""
_WINDOW = 10.0
_MOST_REMEMBERED = 1 << 14


class Throttle:
    """Remembers what was accepted lately. All times are seconds of one monotonic clock."""

    def __init__(self, began: float) -> None:
        """Begin to measure at `began`."""
        self._accepted: deque[float] = deque(maxlen=_MOST_REMEMBERED)
        self._since = began
        self._slowed: float | None = None
        self._refused_since: float | None = None

    def accept(self, at: float) -> None:
        """Hear that a message was accepted."""
        self._accepted.append(at)
        self._refused_since = None

    def refuse(self, at: float) -> float | None:
        """Hear that the server asks for less; return how many messages a second it took, None if that is known already.

        Measured is what was accepted since the pace last changed, over ten seconds at most and one at least.
        """
        if self._refused_since is None:
            self._refused_since = at
        if self._slowed is not None and at - self._slowed < _APART:
            return None
        since = max(self._since, at - _WINDOW)
        count = sum(1 for moment in self._accepted if moment >= since)
        self._since = self._slowed = at
        return count / max(at - since, 1.0)

    def is_stuck(self, at: float) -> bool:
        """Return whether the server has only asked for less, and accepted nothing, for longer than `PATIENCE`."""
        return self._refused_since is not None and at - self._refused_since > PATIENCE
