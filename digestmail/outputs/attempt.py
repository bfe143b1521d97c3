"""One attempt, in a thread that is abandoned if it hangs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

from digestmail.errors import OutputError, OutputUnknownError
from digestmail.outputs.base import Alert, AlertOutput, Output, OutputMessage

GRACE: Final = 5.0
"""Seconds beyond its time limit that an attempt gets to notice it."""


def attempt(output: Output, message: OutputMessage, *, wait: float | None = None) -> str:
    """Send a message; return what the receiver said. Raises OutputError, also after `wait` seconds without a result.

    By default that is the time limit of the output and some seconds. A library or a network file system may hang for
    longer than any time limit of a socket. The thread then ends with the process.
    """
    seconds = output.timeout + GRACE if wait is None else wait
    return _in_thread(lambda: output.send(message), seconds, OutputError if output.repeatable else OutputUnknownError)


def attempt_alert(output: AlertOutput, alert: Alert) -> str:
    """Send an alert in the same way. Raises OutputError."""
    return _in_thread(lambda: output.send_alert(alert), output.timeout + GRACE, OutputError)


def _in_thread(send: Callable[[], str], seconds: float, unfinished: type[OutputError]) -> str:
    answers: queue.SimpleQueue[Callable[[], str]] = queue.SimpleQueue()
    threading.Thread(target=_send, args=(send, answers), name="output", daemon=True).start()
    try:
        return answers.get(timeout=seconds)()
    except queue.Empty:
        raise unfinished(f"no result after {seconds:.0f} seconds") from None


def _send(send: Callable[[], str], answers: queue.SimpleQueue[Callable[[], str]]) -> None:
    try:
        said = send()
    except Exception as error:  # noqa: BLE001 - whatever a library raises belongs to this attempt alone
        failure = error if isinstance(error, OutputError) else OutputError(f"unexpected {type(error).__name__}")

        def fail() -> str:
            raise failure

        answers.put(fail)
    else:
        answers.put(lambda: said)
