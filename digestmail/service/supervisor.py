"""`Supervisor`: starts the parts, watches over them, and acts on signals."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from select import select
from socket import socketpair
from threading import Thread
from typing import Final, Protocol

from digestmail.service.part import Monotonic, Runner, ServiceHealth, ServicePart

log = logging.getLogger("digestmail.service")

TICK: Final = 10.0
"""Seconds between two looks at the parts, unless the watchdog wants more."""
READY_SECONDS: Final = 60.0
"""After this, a start or reload is called finished although a part has not started, or not finished its work in hand:
systemd waits for 90 s."""
_CHANGING_TICK: Final = 0.2
STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})
RELOADS: Final = frozenset({signal.SIGHUP})

Signals = Callable[[float], set[int]]
"""Waits for signals, at most so many seconds, and returns those that came."""


class Manager(Protocol):
    """The service manager: systemd, or none."""

    watchdog_seconds: float | None

    def ready(self, status: str) -> None:
        """Say that the service has started or reloaded."""
        ...

    def reloading(self) -> None:
        """Say that the service reloads."""
        ...

    def stopping(self) -> None:
        """Say that the service stops."""
        ...

    def alive(self) -> None:
        """Ping the watchdog."""
        ...

    def status(self, text: str) -> None:
        """Say what the service is doing."""
        ...


class Supervisor:
    """Runs parts until it gets a signal to stop. A part that ends is started again, and the others do not notice."""

    def __init__(
        self,
        parts: Sequence[ServicePart],
        *,
        reload: Callable[[], Sequence[ServicePart] | None],
        on_stop: Callable[[], object],
        signals: Signals,
        manager: Manager,
        monotonic: Monotonic,
        random: Random,
        health: ServiceHealth | None = None,
    ) -> None:
        """Take over `parts`. `reload` returns the parts to run from now on, or None to change nothing.

        `on_stop` is called when the first signal to stop comes; it may limit how long the work in hand takes. `health`
        gets what the supervisor finds out.
        """
        self._runners = {part.name: Runner(part, monotonic, random) for part in parts}
        self._leaving: list[Runner] = []
        self._reload = reload
        self._on_stop = on_stop
        self._signals = signals
        self._manager = manager
        self._monotonic = monotonic
        self._random = random
        self._loading: _Loading | None = None
        self._is_wanted_again = False
        self._changing_since: float | None = None
        self._health = health or ServiceHealth()
        self._complaints: frozenset[str] = frozenset()
        self._said = ""

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; SIGHUP reloads. Return when every part has ended."""
        for runner in self._runners.values():
            runner.start()
        self._changing_since = self._monotonic()
        self._end_change()
        while not (received := self._signals(self._tick())) & STOPS:
            if received & RELOADS:
                self._begin_reload()
            self._continue_reload()
            self._watch()
        self._manager.stopping()
        self._on_stop()
        ending = [*self._runners.values(), *self._leaving]
        for runner in ending:
            runner.stop()
        for runner in ending:
            runner.join()

    def _tick(self) -> float:
        """Return for how many seconds to wait for signals."""
        limit = self._manager.watchdog_seconds
        tick = TICK if limit is None else min(TICK, limit / 3)
        return tick if self._changing_since is None else min(tick, _CHANGING_TICK)

    def _begin_reload(self) -> None:
        """Read the configuration again, in a thread: whatever hangs there, signals are still heard."""
        if self._loading is not None:
            self._is_wanted_again = True  # the file may have changed since it was read
            return
        self._manager.reloading()
        self._changing_since = self._monotonic()
        self._loading = _Loading(self._reload)

    def _continue_reload(self) -> None:
        """Replace the parts when the configuration was read."""
        if self._loading is not None and self._loading.is_done():
            if (wanted := self._loading.parts) is not None:
                self._replace_parts(wanted)
            self._loading = None
            if self._is_wanted_again:
                self._is_wanted_again = False
                self._loading = _Loading(self._reload)
        self._end_change()

    def _end_change(self) -> None:
        """Call a start or reload finished when every part has started, or taken it up, or nearly."""
        if self._changing_since is None or self._loading is not None:
            return
        is_late = self._monotonic() - self._changing_since > READY_SECONDS
        if is_late or all(runner.is_ready() for runner in self._runners.values()):
            self._changing_since = None
            self._said = self._summary()
            self._manager.ready(self._said)

    def _replace_parts(self, wanted: Sequence[ServicePart]) -> None:
        """Run `wanted` instead: each part as soon as it has finished the work in hand."""
        names = {part.name for part in wanted}
        for name in self._runners.keys() - names:
            self._leaving.append(runner := self._runners.pop(name))
            runner.stop()
        for part in wanted:
            if part.name in self._runners:
                self._runners[part.name].replace(part)
            else:
                self._runners[part.name] = Runner(part, self._monotonic, self._random)
                self._runners[part.name].start()

    def _watch(self) -> None:
        """Ping the watchdog if every part is alive."""
        self._leaving = [runner for runner in self._leaving if not runner.has_ended()]
        hanging = {runner.name: problem for runner in self._runners.values() if (problem := runner.problem())}
        for name in sorted(hanging.keys() - self._complaints):
            log.error("%s", hanging[name])
        self._complaints = frozenset(hanging)
        self._health.problems = tuple(hanging.values())
        if (text := self._summary()) != self._said:
            self._manager.status(text)
            self._said = text
        if not hanging:
            self._manager.alive()

    def _summary(self) -> str:
        """Return what the parts do, for `systemctl status`."""
        doing: dict[str, list[str]] = {}
        for name, runner in self._runners.items():
            doing.setdefault("hanging" if name in self._complaints else runner.doing(), []).append(name)
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in doing.items())


class _Loading:
    """Reads the configuration in a thread. `parts` are what is to run then; None if nothing changes."""

    def __init__(self, reload: Callable[[], Sequence[ServicePart] | None]) -> None:
        self.parts: Sequence[ServicePart] | None = None
        self._reload = reload
        self._thread = Thread(target=self._load, name="reload", daemon=True)
        self._thread.start()

    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def _load(self) -> None:
        try:
            self.parts = self._reload()
        except Exception:  # a bug must not stop what runs
            log.exception("reload: failed, so the configuration before stays in use")


@contextmanager
def waiting_for_signals() -> Iterator[Signals]:
    """Yield what waits for SIGTERM, SIGINT and SIGHUP. Only the main thread may call this.

    The handlers do nothing: Python writes the number of each signal to a socket (signal.set_wakeup_fd), so no code runs
    in the middle of other code, and no lock can be taken twice.
    """
    reading, writing = socketpair()
    with reading, writing:
        reading.settimeout(0)
        writing.settimeout(0)
        previous = {number: signal.signal(number, lambda *_: None) for number in STOPS | RELOADS}
        wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

        def wait(seconds: float) -> set[int]:
            readable, _, _ = select([reading], [], [], seconds)
            return set(reading.recv(4096)) if readable else set()

        try:
            yield wait
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in previous.items():
                signal.signal(number, handler)
