"""Decide when to claim more messages, and how many; wait for those that are due soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from digestmail.clock import Clock
from digestmail.delivery.standing import LINGER
from digestmail.delivery.write_batch import ClaimRequest, Triage

FIRST_CLAIM, MOST_CLAIMED = 100, 2000
NOTICES = 20
"""The most notices claimed between two claims of deliveries."""
_BETWEEN_NOTICES = 1.0
"""Seconds between two looks for notices, while deliveries are being sent: a subscriber is waiting for a notice."""


class Intake:
    """Claims for one dispatcher. It belongs to one event loop."""

    def __init__(
        self,
        clock: Clock,
        submit: Callable[[ClaimRequest], bool],
        stop: Callable[[], bool],
        on_idle: Callable[[], None],
        *,
        only_notices: bool,
    ) -> None:
        """`submit` sends a claim to the outbox writer, unless the run is ending; `on_idle` is called after a wait."""
        self._clock = clock
        self._submit = submit
        self._stop = stop
        self._on_idle = on_idle
        self._only_notices = only_notices
        self._next_size = FIRST_CLAIM
        self._asked_at = clock.monotonic()
        self._timer: asyncio.Task[None] | None = None
        self.is_claiming = False
        self._is_exhausted = False

    @property
    def is_finished(self) -> bool:
        """Whether nothing more is due, or about to be."""
        return self._is_exhausted and not self.is_claiming and self._timer is None

    def expect_more(self) -> None:
        """Look again even if the last claim found nothing: a message has become due, or will in a moment."""
        self._is_exhausted = False

    def claim_if_low(self, available: int) -> None:
        """Claim when fewer than half of a claim's messages are left, and look for notices from time to time."""
        if self.is_claiming:
            return
        if available < self._next_size // 2 and not self._is_exhausted:
            self.claim()
        elif self._clock.monotonic() - self._asked_at >= _BETWEEN_NOTICES:
            self._ask(ClaimRequest(limit=NOTICES, only_notices=True))

    def claim(self) -> None:
        """Claim, unless a claim is on its way already."""
        if not self.is_claiming:
            self._ask(ClaimRequest(limit=self._next_size, only_notices=self._only_notices))

    def _ask(self, request: ClaimRequest) -> None:
        self._asked_at = self._clock.monotonic()
        self.is_claiming = self._submit(request)

    def abandon_claim(self) -> None:
        """Stop waiting for a claim: the database is gone."""
        self.is_claiming = False

    def on_claim(self, request: ClaimRequest, triage: Triage, *, stopped: bool) -> None:
        """Take note of what a claim found."""
        self.is_claiming = False
        count = len(triage.go) + len(triage.rest)
        if count:
            if count >= self._next_size:
                self._next_size = min(self._next_size * 2, MOST_CLAIMED)
            return
        if request.only_notices and not self._only_notices:
            return
        self._is_exhausted = True
        if triage.next_due_at is not None and triage.next_due_at - self._clock.now() <= LINGER and not stopped:
            self.cancel()
            self._timer = asyncio.get_running_loop().create_task(self._linger(triage.next_due_at))

    def cancel(self) -> None:
        """Stop waiting."""
        if self._timer is not None:
            self._timer.cancel()

    async def _linger(self, until: datetime) -> None:
        """Wait for messages that are due soon, such as those held back by a rate limit."""
        # Measured by the monotonic clock: if the other one were set back meanwhile, this would wait for ever.
        ends = self._clock.monotonic() + (until - self._clock.now()).total_seconds()
        while (left := ends - self._clock.monotonic()) > 0 and not self._stop():
            await asyncio.to_thread(self._clock.sleep, min(max(left, 0.01), 1.0))
        self._timer = None
        self._is_exhausted = False
        self.claim()
        self._on_idle()
