"""Sends queued notices, in one thread at a time: after the response that queued one, and again when one is due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Final, Protocol

from digestmail.errors import DigestmailError
from digestmail.model.reports import DeliverReport, Stop

log = logging.getLogger("digestmail.web")

CHECK_SECONDS: Final = 30.0
"""The time between two checks whether a notice is due. A check reads one index entry of each table."""
_JOIN_SECONDS: Final = 3.0
"""Together with the grace of requests, less than the ten seconds after which `docker stop` kills."""


class Notices(Protocol):
    """Where the notices come from: the app."""

    def has_notices(self) -> bool:
        """Return whether there is anything to send or to process."""
        ...

    def send_notices(self, *, stop: Stop = ...) -> DeliverReport:
        """Process the requests of the pages and send all notices that are due."""
        ...


class NoticeQueue:
    """Sends the notices of an app. `flush` is the background task of a request that queued one."""

    def __init__(self, notices: Notices) -> None:
        """Send nothing yet."""
        self._notices = notices
        self._busy = Lock()
        self._requested = False
        self._reported = ""
        self._has_thread = False
        self._stopping = False
        self._wake = Event()

    def flush(self) -> None:
        """Send notices that are due: in the thread of `checked` if there is one, else now."""
        if self._has_thread:
            self._wake.set()
        else:
            self._send()

    def _send(self) -> None:
        """Send notices that are due. If another thread is sending, it is asked to check again."""
        self._requested = True
        while self._requested and not self._stopping and self._busy.acquire(blocking=False):
            try:
                self._requested = False
                self._report(self._notices.send_notices(stop=lambda: self._stopping).stopped)
            except DigestmailError as error:
                # The notices stay in the queue and are sent by the next check or the next run.
                self._report(str(error))
            finally:
                self._busy.release()

    def _report(self, reason: str) -> None:
        """Log why notices were not sent, once until the reason changes."""
        if reason and reason != self._reported and not self._stopping:
            log.warning("notices were not sent, and are tried again: %s", reason)
        self._reported = reason

    def check(self) -> None:
        """Send notices if any is due. This is cheap if none is."""
        try:
            is_due = self._notices.has_notices()
        except DigestmailError as error:
            self._report(str(error))
            return
        if is_due:
            self._send()

    def check_until(self, wait: Callable[[float], bool]) -> None:
        """Check now and then, until `wait` returns true. It waits for at most so many seconds."""
        self.check()
        while not wait(CHECK_SECONDS):
            self.check()

    def _wait(self, seconds: float) -> bool:
        """Wait until a request queued a notice, or the server stops, or the time has passed. Return whether to stop."""
        if not self._stopping:
            self._wake.wait(seconds)
            self._wake.clear()
        return self._stopping

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Check in a thread inside this context. At its end, a message that is being sent gets three seconds."""
        thread = Thread(target=self.check_until, args=(self._wait,), name="notices", daemon=True)
        self._has_thread = True
        thread.start()
        try:
            yield
        finally:
            self._stopping = True
            self._wake.set()
            thread.join(_JOIN_SECONDS)
