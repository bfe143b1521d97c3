"""Sends queued notices after the response, in one thread at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock

from digestmail.errors import DigestmailError

log = logging.getLogger("digestmail.web")


class NoticeQueue:
    """Calls `send` in the background task of a request that queued a notice."""

    def __init__(self, send: Callable[[], object]) -> None:
        """`send` sends all notices that are due."""
        self._send = send
        self._busy = Lock()
        self._requested = False

    def flush(self) -> None:
        """Send notices that are due. If another thread is sending, it is asked to check again."""
        self._requested = True
        while self._requested and self._busy.acquire(blocking=False):
            try:
                self._requested = False
                self._send()
            except DigestmailError as error:
                # The notices stay in the queue and are sent by the next call or the next run.
                log.warning("notices were not sent: %s", error)
            finally:
                self._busy.release()
