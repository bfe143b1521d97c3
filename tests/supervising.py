"""Supervises parts while signals come as a test says, and records what the service manager hears."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from random import Random
from threading import Event

from digestmail.service.part import ServiceHealth, ServicePart
from digestmail.service.supervisor import Supervisor


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Manager:
    """Records what the service manager hears."""

    def __init__(self, watchdog_seconds: float | None = None) -> None:
        self.watchdog_seconds = watchdog_seconds
        self.heard: list[str] = []

    def ready(self, status: str) -> None:
        self.heard.append(f"ready {status}")

    def reloading(self) -> None:
        self.heard.append("reloading")

    def stopping(self) -> None:
        self.heard.append("stopping")

    def alive(self) -> None:
        self.heard.append("alive")

    def status(self, text: str) -> None:
        self.heard.append(f"status {text}")


def supervise(
    parts: Sequence[ServicePart],
    *steps: Callable[[], set[int] | None],
    manager: Manager | None = None,
    reload: Callable[[], Sequence[ServicePart] | None] = lambda: None,
    on_stop: Callable[[], object] = lambda: None,
    monotonic: Callable[[], float] | None = None,
    health: ServiceHealth | None = None,
) -> list[float]:
    """Supervise `parts` while signals come as `steps` say, then SIGTERM; return how long each wait was to be.

    A step that returns None is asked again after a moment.
    """
    coming, waits, moment = list(steps), [], Event()

    def signals(seconds: float) -> set[int]:
        waits.append(seconds)
        if not coming:
            return {signal.SIGTERM}
        received = coming[0]()
        if received is None:
            moment.wait(0.005)
        else:
            coming.pop(0)
        return received or set()

    Supervisor(
        parts,
        reload=reload,
        on_stop=on_stop,
        signals=signals,
        manager=manager or Manager(),
        monotonic=monotonic or Time(),
        random=Random(1),
        health=health,
    ).run()
    return waits


def states(manager: Manager) -> list[str]:
    return [each for each in manager.heard if each != "alive" and not each.startswith("status")]


def until_ready(manager: Manager, times: int) -> Callable[[], set[int] | None]:
    return until(lambda: sum(each.startswith("ready") for each in manager.heard) == times)


def until(*happened: Callable[[], bool]) -> Callable[[], set[int] | None]:
    """Return a step that goes on until all of this has happened."""
    return lambda: set() if all(each() for each in happened) else None
