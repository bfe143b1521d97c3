"""One request at a time to a host, also if several sources are read at once."""

from __future__ import annotations

from collections import defaultdict
from threading import Lock


class HostLocks:
    """A lock for each host; those who share this share them."""

    def __init__(self) -> None:
        """Lock nothing yet."""
        self._guard = Lock()
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    def acquire(self, host: str) -> Lock:
        """Wait until no one else sends a request to `host`; return the lock to release after the answer was read."""
        with self._guard:
            lock = self._locks[host]
        lock.acquire()
        return lock
