"""Sending what a form asked for, behind the answer: one at a time, and nothing that was queued is left lying."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock

from digestmail.errors import DigestmailError

log = logging.getLogger("digestmail.web")


class NoticeQueue:
    """Calls `send` for whoever queued something, from the thread that runs behind their answer."""

    def __init__(self, send: Callable[[], object]) -> None:
        """Call nothing yet; `send` sends everything that is due."""
        self._send = send
        self._busy = Lock()
        self._asked = False

    def flush(self) -> None:
        """Send what is due. Who comes while another thread is at it only tells that one to look again."""
        self._asked = True
        while self._asked and self._busy.acquire(blocking=False):
            try:
                self._asked = False
                self._send()
            except DigestmailError as error:
                # It stays in the queue, and the next run or the next form sends it.
                log.warning("notices were not sent: %s", error)
            finally:
                self._busy.release()
