"""Listen for bounces: a mail server hands them over, one after the other, until you stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from digestmail.bounces.mailboxes.listener import Listener
from digestmail.bounces.processor import BounceProcessor, BouncesReport
from digestmail.clock import Clock

_STEP = 0.5
"""Seconds between two checks for whether to stop."""


def listen(  # noqa: PLR0913 - by name only, a key of the configuration each
    processor: BounceProcessor,
    clock: Clock,
    *,
    host: str,
    port: int | None,
    protocol: Literal["lmtp", "smtp"],
    max_bytes: int,
    timeout: float,
    unsubscribed: Callable[[], object],
    stop: Callable[[], bool],
) -> BouncesReport:
    """Take mail on `host` and `port` until `stop` says so, and return what was counted.

    `unsubscribed` is called soon after somebody unsubscribed by mail. Raises MailboxError when the port cannot be had.
    """
    listener = Listener(
        processor.take,
        wants=processor.wants,
        host=host,
        port=port,
        protocol=protocol,
        max_bytes=max_bytes,
        timeout=timeout,
    )
    listener.start()
    seen = 0
    try:
        while not stop():
            clock.sleep(_STEP)
            count = processor.report().unsubscribed
            if count > seen:
                unsubscribed()
            seen = count
    finally:
        listener.stop()
    return processor.finish()
