"""A part of the service: its work, the thread it runs in, and the decision when to start it again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from threading import Event, Lock, Thread
from typing import Final

from digestmail.errors import DigestmailError

log = logging.getLogger("digestmail.service")

STARTING: Final = "starting"
"""What a part is doing that still prepares what it needs."""

FIRST_DELAY: Final = 1.0
LONGEST_DELAY: Final = 300.0
_JITTER: Final = 0.25
STEADY: Final = 600.0
"""A part that ran for so many seconds had started well, so the next failure counts as the first."""

Monotonic = Callable[[], float]


def restart_delay(failures: int, random: Random) -> float:
    """Return the seconds to wait after `failures` failures in a row (1 or more): 1, 2, 4, ... 300, plus up to 25 %."""
    doubled = FIRST_DELAY * 2.0 ** min(failures - 1, 30)
    return min(doubled, LONGEST_DELAY) * (1 + _JITTER * random.random())


class ServiceHealth:
    """What the supervisor last found out about the parts."""

    def __init__(self) -> None:
        """Know of no problem yet."""
        self.problems: tuple[str, ...] = ()

    def is_good(self) -> bool:
        """Return whether no part hangs."""
        return not self.problems


class Control:
    """What a running part asks whether to stop. Each question is a sign of life."""

    def __init__(self, monotonic: Monotonic, doing: str = "running") -> None:
        """Count as alive from now on."""
        self.doing = doing
        self._monotonic = monotonic
        self._stop = Event()
        self._alive_at = monotonic()

    def stopping(self) -> bool:
        """Return whether the part is to finish the work in hand and return."""
        self._alive_at = self._monotonic()
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until the part is to stop, at most `seconds`; return whether it is. This is no sign of life."""
        return self._stop.wait(seconds)

    def say(self, doing: str) -> None:
        """Set what the part is doing, for `systemctl status`. This is no sign of life."""
        self.doing = doing

    def stop(self) -> None:
        """Ask the part to stop."""
        self._stop.set()

    def silent_for(self) -> float:
        """Return the seconds since the last sign of life."""
        return self._monotonic() - self._alive_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePart:
    """What a part does. `run` returns soon after its control says so, and raises if it cannot go on."""

    name: str
    run: Callable[[Control], None]
    patience: float
    """Seconds without a sign of life after which the part counts as hanging."""
    doing: str = "running"
    """What the part is doing until it says something else."""


class Runner:
    """Runs a part in a thread, again and again until it is stopped."""

    def __init__(self, part: ServicePart, monotonic: Monotonic, random: Random) -> None:
        """Start nothing yet."""
        self.name = part.name
        self._next = part
        self._running = part
        self._control = Control(monotonic, part.doing)
        self._monotonic = monotonic
        self._random = random
        self._lock = Lock()
        self._ended = False
        self._resting = False
        self._thread = Thread(target=self._loop, name=part.name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def replace(self, part: ServicePart) -> None:
        """Run `part` instead, as soon as the work in hand is finished."""
        with self._lock:
            self._next = part
            self._control.stop()

    def stop(self) -> None:
        """Ask the part to end for good."""
        with self._lock:
            self._ended = True
            self._control.stop()

    def join(self) -> None:
        """Wait until the part has ended."""
        self._thread.join()

    def has_ended(self) -> bool:
        """Return whether the thread is gone."""
        return not self._thread.is_alive()

    def is_ready(self) -> bool:
        """Return whether the part that runs has started, and is not one that is being replaced."""
        with self._lock:
            return self._running is self._next and self._control.doing != STARTING

    def doing(self) -> str:
        """Return what the part is doing."""
        with self._lock:
            return "waiting to be started again" if self._resting else self._control.doing

    def problem(self) -> str | None:
        """Return why the part counts as hanging; None if it is alive or waits to be started again."""
        with self._lock:
            part, control, resting = self._running, self._control, self._resting
        if not self._thread.is_alive():
            return f"the thread of {self.name} is gone"
        silent = control.silent_for()
        return (
            None if resting or silent <= part.patience else f"{self.name} has given no sign of life for {silent:.0f} s"
        )

    def _begin(self) -> tuple[ServicePart, Control] | None:
        with self._lock:
            if self._ended:
                return None
            self._running, self._control = self._next, Control(self._monotonic, self._next.doing)
            return self._running, self._control

    def _loop(self) -> None:
        failures = 0
        while (begun := self._begin()) is not None:
            part, control = begun
            started = self._monotonic()
            _run(part, control)
            if control.stopping():
                failures = 0
                continue
            failures = 1 if self._monotonic() - started >= STEADY else failures + 1
            delay = restart_delay(failures, self._random)
            log.warning("part %s is started again in %.0f s", self.name, delay)
            self._resting = True
            if control.wait(delay):
                failures = 0
            self._resting = False


def _run(part: ServicePart, control: Control) -> None:
    """Run a part until it ends, and log why it did if it was not asked to."""
    try:
        part.run(control)
    except DigestmailError as error:
        log.error("part %s: %s", part.name, error)  # noqa: TRY400 - a sentence for the operator, and no bug
    except (Exception, SystemExit):  # a bug in one part must not stop the others
        log.exception("part %s crashed", part.name)
    else:
        if not control.stopping():
            log.error("part %s ended", part.name)
