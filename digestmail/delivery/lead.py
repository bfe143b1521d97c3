"""How many messages may be ahead: intended, and not yet answered by the server. Pure.

What is ahead when a worker dies may or may not have been sent, so it should be little. But a commit costs about the
same for ten rows and for five hundred, and while it lasts the connections send what is ahead. So it is what is sent in
a tenth of a second, or in the time of three commits where those are slow, and never less than a few messages for each
connection.
"""

from __future__ import annotations

from typing import Final

FEWEST = 8
"""Messages for each connection."""
MOST: Final = 1000
"""Messages in all."""
_SECONDS: Final = 0.1
_COMMITS: Final = 3
_MOMENT: Final = 0.01
"""Seconds. Messages that are sent within it are composed at once."""
MOST_AT_ONCE: Final = 16
"""They are in memory until they are sent, up to 100 KB each."""
_WINDOW: Final = 0.05
"""Seconds after which the rate is measured again."""


class Lead:
    """Follows how fast messages are sent and committed."""

    def __init__(self, at: float) -> None:
        """`at` is a time of the monotonic clock, in seconds."""
        self._began = at
        self._count = 0
        self._rate = 0.0
        self._seconds = _SECONDS

    def on_commit(self, results: int, seconds: float, at: float) -> None:
        """Take note that `results` results were committed at time `at`, in a commit that took `seconds`."""
        self._seconds = max(_SECONDS, _COMMITS * seconds)
        self._count += results
        if (elapsed := at - self._began) >= max(_WINDOW, self._seconds / 2):
            measured = self._count / elapsed
            self._rate = (self._rate + measured) / 2 if self._rate else measured
            self._began, self._count = at, 0

    def most(self, connections: int) -> int:
        """Return how many messages may be ahead."""
        return max(FEWEST * connections, min(round(self._rate * self._seconds), MOST))

    @property
    def at_once(self) -> int:
        """How many messages should be composed at once."""
        return max(1, min(int(self._rate * _MOMENT), MOST_AT_ONCE))
