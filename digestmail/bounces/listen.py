"""Listens for bounces that a mail server delivers by LMTP or SMTP."""

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
    """Accept mail on `host` and `port` until `stop` returns true, and return the totals.

    `unsubscribed` is called soon after someone unsubscribed by email. Raises MailboxError if the port is not available.
    """
    listener = Listener(
        processor.process,
        accepts=processor.accepts,
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
