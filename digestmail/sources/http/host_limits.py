"""How often a host may be asked: what the client needs from the place where the limits are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class HostLimits(Protocol):
    """The rate limit of each host, shared by all processes that use the database."""

    def reserve(self, host: str, now: datetime, min_interval: float) -> datetime:
        """Reserve the next free time for one request to `host`, at or after `now`, and return it.

        The next reservation is at least `min_interval` seconds later. While a host is blocked, the time at which the
        block ends is returned.
        """
        ...

    def block(self, host: str, until: datetime) -> None:
        """Block requests to `host` until `until`."""
        ...
