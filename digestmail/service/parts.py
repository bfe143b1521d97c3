"""The parts of `digestmail up` and `digestmail worker`. They share nothing but the code.

Each opens the database for itself, and imports what it needs: a worker has no use for the pages.
"""

from __future__ import annotations

import importlib.util
import logging
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from digestmail.app import App
from digestmail.bounces.processor import BouncesReport
from digestmail.clock import Clock, SystemClock
from digestmail.config.load import load
from digestmail.config.settings import Config
from digestmail.errors import ConfigError, DigestmailError, ServerError
from digestmail.mail.template_check import template_problems
from digestmail.model.digests import Digest
from digestmail.model.reports import RunReport
from digestmail.service.part import STARTING, Control, ServiceHealth, ServicePart

if TYPE_CHECKING:  # They need the extra digestmail[cluster].
    from digestmail.cluster.plan import JobKind
    from digestmail.cluster.work import Report

log = logging.getLogger("digestmail.service")

BOUNCES_SECONDS: Final = 300.0
"""Between two looks into the mailbox for bounces."""
_PATIENCE: Final = 3600.0
"""A unit of work is never silent for so long: leases last half an hour, and the final dot of a message ten minutes."""
_WEB_PATIENCE: Final = 60.0
"""The event loop asks ten times a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which parts to run, and where the pages listen, if that is not as configured."""

    run: bool = True
    bounces: bool = True
    web: bool = True
    jobs: Collection[JobKind] = ()
    """The kinds of jobs to share with other workers."""
    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """What is called with the reports of the parts, and with the configuration."""

    on_run: Callable[[RunReport, Sequence[Digest]], None]
    on_bounces: Callable[[BouncesReport], None]
    on_job: Callable[[Report, Sequence[Digest], bool], None] = lambda _report, _digests, _failed: None
    """Called with what came of a job, and whether the operator should look at it."""
    on_config: Callable[[Config, Path], None] = lambda _config, _base: None
    """Called with each configuration before its parts run, and with its directory. Sets up logging."""


class PartsLoader:
    """Builds the parts from the configuration. The port of the pages stays open when they are built again."""

    def __init__(
        self,
        path: Path,
        wanted: Wanted,
        reporting: Reporting,
        health: ServiceHealth,
        clock: Clock | None = None,
    ) -> None:
        """`path` is the configuration file. The pages show whether `health` is good. Without `clock`, the system's."""
        self._clock = clock or SystemClock()
        self._path = path
        self._wanted = wanted
        self._reporting = reporting
        self._health = health
        self._port = _Port()

    def load(self) -> tuple[ServicePart, ...]:
        """Read the configuration. Raises DigestmailError, such as ConfigError with every problem; then nothing changed.

        A port that cannot be opened is an error only if there is one to keep instead:
        at the start, the pages try again, and nothing else waits for them.
        """
        config, base = load(self._path), self._path.absolute().parent
        if self._wanted.jobs:
            _check_needs(config)
        if self._wanted.web:
            try:
                self._port.open(*self._address(config)).close()
            except ServerError:
                if self._port.is_open():
                    raise
        self._reporting.on_config(config, base)
        return tuple(self._parts(config, base))

    def reload(self) -> tuple[ServicePart, ...] | None:
        """Read the configuration and your own templates again; log every problem and return None if there is one."""
        problems: list[str] = []
        try:
            problems += self._template_problems()
            parts = () if problems else self.load()
        except (DigestmailError, OSError, ValueError) as error:
            problems = str(error).splitlines()
        if problems:
            for problem in problems:
                log.error("reload: %s", problem)
            log.error("reload: the configuration is not valid, so the one before stays in use")
            return None
        log.info("reload: each part takes up the configuration when it has finished the work in hand")
        return parts

    def _template_problems(self) -> Iterator[str]:
        """Render every template, if the operator has any. At the start, a broken one is no reason to run nothing."""
        config = load(self._path)
        if config.templates_dir is not None:
            with App(config, self._path.absolute().parent, self._clock) as app:
                yield from (f"template: {problem}" for problem in template_problems(app.mail.renderer))

    def close(self) -> None:
        """Close the port of the pages."""
        self._port.close()

    def _address(self, config: Config) -> tuple[str, int]:
        wanted, table = self._wanted, config.web
        return wanted.host or table.host, table.port if wanted.port is None else wanted.port

    def _parts(self, config: Config, base: Path) -> Iterator[ServicePart]:
        opened = partial(App, config, base, self._clock, wall_clock=self._clock)
        if self._wanted.run:
            work = partial(_run, opened, self._reporting.on_run)
            yield ServicePart(name="run", run=work, patience=_PATIENCE)
        if self._wanted.bounces and config.bounces.model_fields_set:
            work = partial(_read_bounces, opened, self._reporting.on_bounces)
            yield ServicePart(name="bounces", run=work, patience=_PATIENCE + config.bounces.timeout)
        if self._wanted.web:
            listening = partial(self._port.open, *self._address(config))
            pages = partial(_serve_pages, opened, listening, self._health.is_good)
            yield ServicePart(name="web", run=pages, patience=_WEB_PATIENCE)
        if self._wanted.jobs:
            work = partial(_do_jobs, opened, self._wanted.jobs, self._reporting.on_job)
            yield ServicePart(name="worker", run=work, patience=_PATIENCE, doing=STARTING)


def _check_needs(config: Config) -> None:
    """Raise ConfigError if workers cannot share this database, or the extra is missing."""
    if config.database.startswith("sqlite"):
        problem = (
            "database: workers share their jobs in PostgreSQL, and this is a SQLite file; run `digestmail up`, "
            "which does everything in one process, or set database to a postgresql:// address"
        )
        raise ConfigError([problem])
    if importlib.util.find_spec("procrastinate") is None:
        raise ConfigError(["Procrastinate is not installed: pip install 'digestmail[cluster]'"])


class _Port:
    """The port of the pages, which stays open while the part that serves them is replaced."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listener: socket.socket | None = None
        self._address: tuple[str, int] | None = None

    def open(self, host: str, port: int) -> socket.socket:
        """Return a duplicate of the socket that listens there. Raises ServerError, and keeps the one before."""
        from digestmail.web.server import listen

        with self._lock:
            if self._listener is None or (host, port) != self._address:
                opened = listen(host, port)
                if self._listener is not None:
                    self._listener.close()
                self._listener, self._address = opened, (host, port)
            return self._listener.dup()

    def is_open(self) -> bool:
        """Return whether there is a socket."""
        return self._listener is not None

    def close(self) -> None:
        """Close the socket."""
        with self._lock:
            if self._listener is not None:
                self._listener.close()
                self._listener = None


def _run(opened: Callable[[], App], on_report: Callable[[RunReport, Sequence[Digest]], None], control: Control) -> None:
    """Collect, publish and deliver on time, and keep house."""
    from digestmail.daemon import Daemon

    with opened() as app:
        daemon = Daemon(
            app,
            on_report=lambda report: on_report(report, app.digests),
            stop=control.stopping,
            wait=control.wait,
        )
        daemon.run()


def _read_bounces(opened: Callable[[], App], on_report: Callable[[BouncesReport], None], control: Control) -> None:
    """Read the mailbox for bounces now and then, or listen for them."""
    with opened() as app:
        while not control.stopping():
            report = app.read_bounces(stop=control.stopping)
            if report.read:
                on_report(report)
            control.wait(BOUNCES_SECONDS)


def _serve_pages(
    opened: Callable[[], App], listening: Callable[[], socket.socket], is_alive: Callable[[], bool], control: Control
) -> None:
    """Serve the pages. The server closes the socket it gets."""
    from digestmail.web.server import serve_on

    listener = listening()
    with opened() as app:
        serve_on(listener, app, control.stopping, is_alive=is_alive)


def _do_jobs(
    opened: Callable[[], App],
    kinds: Collection[JobKind],
    on_job: Callable[[Report, Sequence[Digest], bool], None],
    control: Control,
) -> None:
    """Do jobs that workers share."""
    from digestmail.cluster.worker import run_worker

    with opened() as app:
        log.info("the worker starts: %s", ", ".join(kinds))
        run_worker(app, kinds, control, on_report=lambda report, *, failed: on_job(report, app.digests, failed))
