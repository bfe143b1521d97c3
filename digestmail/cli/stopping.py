"""Signals that end a command: work in hand is finished, but not for longer than a service manager waits."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE = 8.0
"""Seconds between the signal and the end: `docker stop` and Kubernetes' own hooks kill after ten."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_within(seconds: float = GRACE, *, leave: Callable[[], None] | None = None) -> threading.Timer:
    """End the process in `seconds`, whatever it waits for; if it ends by itself before, nothing happens.

    Call it in a signal handler. A second signal ends the process at once. What is stored then is what a crash would
    leave, which is safe (docs/flow.md, when the machine stops).
    """

    def end() -> None:
        sys.stderr.write(
            f"digestmail: stopped after {seconds:g} s without waiting for an answer; what was not finished is done by "
            "the next run, and `digestmail deliveries release` gives back what this one had claimed\n"
        )
        sys.stderr.flush()
        (leave or _leave)()

    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL if os.getpid() != 1 else lambda *_: (leave or _leave)())
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def _leave() -> None:
    """Die of SIGTERM, which every service manager takes for a clean end.

    The first process of a container cannot die of a signal that it does not handle (pid_namespaces(7)): it exits with
    the code that shells give to such a death.
    """
    if os.getpid() == 1:
        os._exit(128 + signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def on_signals() -> Iterator[Callable[[], bool]]:
    """Yield what says whether to stop. SIGTERM or SIGINT asks for it; a second one ends the process at once."""
    asked = threading.Event()
    timers: list[threading.Timer] = []

    def ask(_number: int, _frame: object) -> None:
        asked.set()
        timers.append(end_within())

    previous = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield asked.is_set
    finally:
        for timer in timers:
            timer.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler)
