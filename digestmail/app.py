"""`App`: connects the operations with the configuration. Used by the command line, the web and the daemon."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from digestmail.clock import Clock, SystemClock
from digestmail.collect.collector import Result, collect, read_all, store_all
from digestmail.config.settings import Config
from digestmail.delivery.epoch import EpochFile
from digestmail.delivery.secrets import signing_secrets
from digestmail.delivery.standing import add_standing, has_work, outbox_report
from digestmail.editions.publish import dry_run_publish, publish
from digestmail.model.digests import Digest
from digestmail.model.reports import (
    CollectReport,
    DeliverReport,
    Progress,
    PublishReport,
    RunReport,
    Stop,
    never,
    no_progress,
)
from digestmail.storage.database import Database
from digestmail.wiring import requests, storage
from digestmail.wiring.collected import follow_up, titled
from digestmail.wiring.history import recorded_run
from digestmail.wiring.outputs import OutputSetup, with_outputs
from digestmail.wiring.progress import deliver_progress
from digestmail.wiring.sources import open_sources

if TYPE_CHECKING:  # What a run with nothing due does not need is imported where it is used.
    from digestmail.bounces.parsing.report import InboundReport
    from digestmail.bounces.processor import BouncesReport
    from digestmail.delivery.worker import Worker
    from digestmail.editions.compose import Composed
    from digestmail.mail.link_tokens import LinkTokens
    from digestmail.mail.tokens import Tokens
    from digestmail.mail.writer import MailWriter
    from digestmail.model.deliveries import Rendered
    from digestmail.transports.base import Transport


class App(AbstractContextManager["App"]):
    """digestmail with one configuration. Close it, or use it in a `with` statement."""

    def __init__(
        self,
        config: Config,
        base: Path,
        clock: Clock,
        *,
        progress: Progress = no_progress,
        wall_clock: Clock | None = None,
        database: Callable[[], Database] | None = None,
    ) -> None:
        """Store the configuration. Relative paths start at `base`, the directory of the configuration file.

        `clock` says what is due and new; all else uses `wall_clock`: a back-fill must not end another worker's lease.
        """
        self.config, self.base = config, base
        self.clock = clock
        self.wall_clock = wall_clock or SystemClock()
        self.digests: tuple[Digest, ...] = with_outputs(config.digest_values(), config)
        self._configured_at = self.wall_clock.now()
        self._progress = progress
        self._random = Random(secrets.randbits(64))  # noqa: S311 - spreads retries; it need not be secret
        self._opened = ExitStack()
        self._open_database = database or partial(storage.open_database, config.database, base, self._opened)

    def __exit__(self, *_: object) -> None:
        """Close everything that was opened."""
        self._opened.close()

    def run(self, *, dry_run: bool = False, outputs: bool = True, stop: Stop = never) -> RunReport:
        """Collect, publish and deliver, with a lock against parallel runs; then send to `outputs`, without it."""
        with ExitStack() as lock:
            if not lock.enter_context(self.database.lock("run")):
                return RunReport(busy=True)
            if dry_run:
                collected, published = self._dry_run(self._read_sources(stop))
                return RunReport(dry_run=True, collect=collected, publish=published)
            with recorded_run(self.database, self.wall_clock, self.clock.now()) as record:
                collected = self.collect(stop=stop)
                published, delivered = self.publish(stop=stop), self.deliver(stop=stop)
                lock.close()
                delivered = self.send_outputs(delivered, stop=stop) if outputs else delivered
                return record(RunReport(collect=collected, publish=published, deliver=delivered))

    def collect(self, *, dry_run: bool = False, stop: Stop = never) -> CollectReport:
        """Read every source. With `dry_run` nothing is stored."""
        if dry_run:
            readings = self._read_sources(stop)
            with self.database.begin_dry_run() as connection:
                return titled(store_all(connection, readings, self.clock.now(), self.horizon()), self.config)
        now, horizon = self.clock.now(), self.horizon()
        with open_sources(self.config, self.database, self.wall_clock, horizon, self._random) as (sources, addresses):
            report = collect(
                self.database, sources, now, addresses=addresses, horizon=horizon, stop=stop, progress=self._progress
            )
        return follow_up(report, self.config, self.base, self.database, self.wall_clock, now, stop=stop)

    def publish(self, *, dry_run: bool = False, stop: Stop = never) -> PublishReport:
        """Publish every digest that is due. With `dry_run` nothing is stored."""
        if dry_run:
            return self._dry_run([])[1]
        now, queued_at = self.clock.now(), self.wall_clock.now()
        self.epoch().check_database(self.database)
        return publish(self.database, self.digests, self._render, now, queued_at=queued_at, stop=stop)

    def deliver(self, *, stop: Stop = never, progress: Callable[[int], None] | None = None) -> DeliverReport:
        """Deliver what is due, notices first. `progress` hears how many messages are finished."""
        requests.process_all(self.database, self.digests, self.wall_clock.now())
        if has_work(self.database, self.wall_clock.now()):
            return self._worker(stop, progress).deliver()
        self.epoch().check_database(self.database)
        return add_standing(self.database, DeliverReport(), self.wall_clock.now(), self.config.bounces.scoring())

    def send_outputs(self, delivered: DeliverReport = DeliverReport(), *, stop: Stop = never) -> DeliverReport:  # noqa: B008 - frozen
        """Send to outputs what is due; return the report with it. Only then is the epoch file read."""
        return replace(delivered, outputs=self.outputs().send(self.epoch, random=self._random, stop=stop))

    def outputs(self) -> OutputSetup:
        """Return what outputs are created from."""
        return OutputSetup(
            self.config,
            self.base,
            self.database,
            self.wall_clock,
            self.digests,
            lambda: self.mail.renderer.templates,
            self._configured_at,
        )

    def send_notices(self, *, stop: Stop = never) -> DeliverReport:
        """Send the notices that are due, and no editions."""
        requests.process_all(self.database, self.digests, self.wall_clock.now())
        return self._worker(stop).send_notices()

    def has_notices(self) -> bool:
        """Return whether `send_notices` has anything to do: a due notice, or a request that is not processed yet."""
        return requests.are_waiting(self.database, self.wall_clock.now())

    def _worker(self, stop: Stop, progress: Callable[[int], None] | None = None) -> Worker:
        from digestmail.delivery.worker import Worker
        from digestmail.wiring import mail

        return Worker(
            self.database,
            self.transports(),
            mail.composers(self.config, self.database, self.mail, self.digests, self.tokens, self.link_tokens()),
            self.wall_clock,
            mail.rules(self.config.mail),
            self.epoch(),
            limits=mail.domain_limits(self.config.mail),
            scoring=self.config.bounces.scoring(),
            random=self._random,
            stop=stop,
            progress=progress or deliver_progress(self.database, self._progress, self.wall_clock.now()),
        )

    def read_bounces(self, *, stop: Stop = never) -> BouncesReport:
        """Read the bounce mailbox, or listen until `stop` returns true. Raises MailboxError."""
        from digestmail.wiring import bounces

        config, base, database, tokens = self.config, self.base, self.database, self.tokens
        unsubscribed, clock = self.send_notices, self.wall_clock
        return bounces.receive(config, base, database, tokens, clock, unsubscribed=unsubscribed, stop=stop)

    def ingest_events(self, events: Iterable[InboundReport]) -> BouncesReport:
        """Count the events of an email provider. The caller must have authenticated them. Raises StorageError."""
        from digestmail.wiring import bounces

        return bounces.processor(self.config, self.database, self.tokens, self.wall_clock).count_all(events)

    def outbox(self, *, complete: bool = True) -> DeliverReport:
        """Return the state of the outbox without delivering; unless `complete`, without deliveries that ended well."""
        with self.database.connect() as connection:
            return outbox_report(connection, complete=complete)

    def upcoming(self, digest: Digest) -> Composed:
        """Return the next edition of `digest`, as it would be published now."""
        from digestmail.editions.compose import compose_next

        return compose_next(self.database, digest, self.clock.now(), self.horizon())

    @cached_property
    def database(self) -> Database:
        """The database, with the newest schema."""
        return self._open_database()

    @cached_property
    def mail(self) -> MailWriter:
        """The mail writer. The operator's templates take precedence over the built-in ones."""
        from digestmail.mail.render import Renderer
        from digestmail.wiring import mail

        own = self.config.templates_dir
        renderer = Renderer(self.base / own if own else None, imprint=self.config.mail.imprint)
        return mail.writer(self.config, self.base, renderer, self.digests)

    def transports(self) -> tuple[Transport, ...]:
        """Return the transports in order of preference; nothing is connected yet."""
        from digestmail.wiring import mail

        return mail.transports(self.config, self.base, self.database, self.wall_clock)

    @property
    def tokens(self) -> Tokens:
        """Return the signer of links, return paths and Message-IDs, with the current secrets."""
        from digestmail.mail.tokens import Tokens

        return Tokens(*signing_secrets(self.database))

    def link_tokens(self) -> LinkTokens:
        """Return the signer of confirmation links and forms."""
        from digestmail.mail.link_tokens import LinkTokens

        return LinkTokens(signing_secrets(self.database))

    def epoch(self) -> EpochFile:
        """Return the guard against a database that was restored from a backup."""
        return EpochFile(self.base / self.config.epoch_file, signing_secrets(self.database)[-1])

    def horizon(self) -> datetime:
        """Return the latest possible time. Later times in the database were written with a clock that was ahead."""
        return max(self.clock.now(), self.wall_clock.now())

    def _read_sources(self, stop: Stop) -> list[Result]:
        now, horizon = self.clock.now(), self.horizon()
        with open_sources(self.config, self.database, self.wall_clock, horizon, self._random) as (sources, addresses):
            return list(read_all(self.database, sources, now, addresses=addresses, horizon=horizon, stop=stop))

    def _dry_run(self, readings: list[Result]) -> tuple[CollectReport, PublishReport]:
        """Store `readings` and publish, in a transaction that is rolled back."""
        with self.database.begin_dry_run() as connection:
            collected = titled(store_all(connection, readings, now := self.clock.now(), self.horizon()), self.config)
            return collected, dry_run_publish(connection, self.digests, self._render, now, self.wall_clock.now())

    def _render(self, *what: Any, **options: Any) -> Rendered:
        return self.mail.render(*what, **options)
