"""Listens for bounces that a mail server delivers by LMTP or SMTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from digestmail.bounces.mailboxes.listener import Listener
from digestmail.bounces.mailboxes.quarantine import QuarantineFolder
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
    quarantine: QuarantineFolder,
    unsubscribed: Callable[[], object],
    stop: Callable[[], bool],
) -> BouncesReport:
    """Accept mail on `host` and `port` until `stop` returns true, and return the totals.

    Messages that cannot be processed are accepted and stored in `quarantine`. `unsubscribed` is called soon after
    someone unsubscribed by email. Raises MailboxError if the port is not available.
    """
    listener = Listener(
        partial(_process, processor, quarantine),
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


def _process(processor: BounceProcessor, quarantine: QuarantineFolder, raw: bytes, recipients: Sequence[str]) -> None:
    problem = processor.process(raw, recipients)
    if problem is not None:
        stored = quarantine.add(raw)
        processor.quarantine("message", problem, lambda: stored)
