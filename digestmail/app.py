"""The wiring: the only place that names concrete classes together. Doors call its verbs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from email.utils import parseaddr
from functools import cached_property, partial
from importlib import metadata
from pathlib import Path
from random import Random
from typing import Self, assert_never
from urllib.parse import urlsplit

from digestmail import config as settings
from digestmail.clock import Clock, SystemClock
from digestmail.config import Config
from digestmail.message import Mould, Sender, wire_domain
from digestmail.model import Digest, Edition, Rendered, Section, Validators
from digestmail.pipeline.collect import collect, read_all, store
from digestmail.pipeline.compose import Composed, compose, upcoming_slot
from digestmail.pipeline.deliver import Deliverer, outbox_report
from digestmail.pipeline.epoch import EpochFile
from digestmail.pipeline.letters import EditionLetters
from digestmail.pipeline.outcomes import Rules
from digestmail.pipeline.pacing import DomainLimit, Limits
from digestmail.pipeline.publish import publish, rehearse
from digestmail.pipeline.reports import CollectReport, DeliverReport, PublishReport, RunReport
from digestmail.rendering import Renderer, page
from digestmail.sources.arxiv_api import ArxivApi
from digestmail.sources.arxiv_feed import ArxivFeed
from digestmail.sources.base import Source
from digestmail.sources.feed import Feed
from digestmail.sources.http import Http
from digestmail.sources.huggingface import HuggingFace
from digestmail.storage import sources as stored_sources
from digestmail.storage.database import Database
from digestmail.storage.gates import StoredGates
from digestmail.storage.settings import epoch, secret
from digestmail.tokens import Tokens
from digestmail.transports.base import Relay, Transport
from digestmail.transports.blocking import BlockingRelay
from digestmail.transports.maildir import MaildirTransport
from digestmail.transports.smtp import Login, SmtpTransport

VERSION = metadata.version("digestmail")
Progress = Callable[[str, int, int | None], None]
"""Told the name of the stage, how many units of it are done and how many there are, if that is known."""


def _never() -> bool:
    return False


def quiet(_stage: str, _done: int, _total: int | None) -> None:
    """Take no notice of progress."""


class App:
    """digestmail, opened on one configuration. Close it, or use it in a `with`."""

    def __init__(
        self,
        config: Config,
        base: Path,
        clock: Clock,
        *,
        progress: Progress = quiet,
        real_clock: Clock | None = None,
    ) -> None:
        """Open nothing yet. Relative paths start at `base`, the directory of the configuration file.

        `clock` decides what is due and what is new. Hosts are asked, and mail is queued, claimed and dated, by
        `real_clock`: a back-fill must not end another worker's lease.
        """
        self.config = config
        self.base = base
        self.clock = clock
        self._real_clock = real_clock or SystemClock()
        self.digests: tuple[Digest, ...] = config.digest_values()
        self._progress = progress
        self._random = Random(secrets.randbits(64))  # noqa: S311 - spreads retries; nothing secret hangs on it
        self._opened: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        """Return the app itself; nothing is opened before it is used."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what was opened."""
        while self._opened:
            self._opened.pop()()

    @cached_property
    def database(self) -> Database:
        """The database, brought to the newest schema."""
        database = Database.open(self.config.database, base=self.base)
        self._opened.append(database.close)
        database.upgrade()
        return database

    @cached_property
    def renderer(self) -> Renderer:
        """The templates: the operator's own first, then the house's."""
        own = self.config.templates_dir
        return Renderer(own=self.base / own if own else None)

    # -- the verbs ----------------------------------------------------------------------------------------------------

    def run(self, *, dry_run: bool = False, stop: Callable[[], bool] = _never) -> RunReport:
        """Collect, publish what is due, deliver what is due; under a lock, so that two crons do no harm."""
        with self.database.lock("run") as held:
            if not held:
                return RunReport(busy=True)
            if dry_run:
                return self._rehearse(stop)
            collected = self.collect(stop=stop)
            published = self.publish(stop=stop)
            return RunReport(collect=collected, publish=published, deliver=self.deliver(stop=stop))

    def run_outbox(self, *, stop: Callable[[], bool] = _never) -> RunReport:
        """Deliver what is due, and nothing else; the daemon's look at the outbox between two editions."""
        return RunReport(deliver=self.deliver(stop=stop))

    def collect(self, *, dry_run: bool = False, stop: Callable[[], bool] = _never) -> CollectReport:
        """Read every source. With `dry_run` nothing is kept."""
        now = self.clock.now()
        with self._sources() as sources:
            if not dry_run:
                total = len(sources)
                return collect(
                    self.database,
                    sources,
                    now,
                    stop=stop,
                    progress=lambda done: self._progress("collect", done, total),
                )
            results = list(read_all(self.database, sources, now, stop=stop))
        with self.database.rehearsal() as connection:
            return CollectReport(sources=tuple(store(connection, result, now) for result in results))

    def publish(self, *, dry_run: bool = False, stop: Callable[[], bool] = _never) -> PublishReport:
        """Publish every digest that is due. With `dry_run` nothing is kept."""
        now = self.clock.now()
        if not dry_run:
            with self.database.connect() as connection:
                self.epoch().check(lambda: epoch(connection))
            queued_at = self._real_clock.now()
            return publish(self.database, self.digests, self.render, now, queued_at=queued_at, stop=stop)
        with self.database.rehearsal() as connection:
            return rehearse(connection, self.digests, self.render, now)

    def deliver(self, *, stop: Callable[[], bool] = _never) -> DeliverReport:
        """Deliver what is due."""
        mail = self.config.mail
        deliverer = Deliverer(
            self.database,
            self.relays(),
            self.letters(),
            self._real_clock,
            Rules(
                give_up=timedelta(hours=mail.give_up_hours),
                max_lateness=timedelta(hours=mail.max_lateness_hours),
                ambiguous=mail.ambiguous,
            ),
            self.epoch(),
            limits=Limits(
                domains={
                    wire_domain(table.name.lower()): DomainLimit(
                        messages_per_second=table.messages_per_second, connections=table.connections
                    )
                    for table in mail.domains
                }
            ),
            random=self._random,
            stop=stop,
            progress=lambda done: self._progress("deliver", done, None),
        )
        return deliverer.deliver()

    def outbox(self) -> DeliverReport:
        """Return how the outbox stands, delivering nothing."""
        with self.database.connect() as connection:
            return outbox_report(connection)

    def upcoming(self, digest: Digest) -> Composed:
        """Return the edition of `digest` that would go out now, or next."""
        now = self.clock.now()
        with self.database.connect() as connection:
            return compose(connection, digest, upcoming_slot(connection, digest, now), now)

    def preview(self, digest: Digest) -> str:
        """Return the mail of the edition that would go out now as a page for the browser. Raises RenderError."""
        edition = self.upcoming(digest).edition
        return page(self.render(edition, edition.sections))

    def render(self, edition: Edition, sections: tuple[Section, ...]) -> Rendered:
        """Return the words of the mail for `sections` of `edition`. Raises RenderError."""
        return self.renderer.render(edition, sections, base_url=self.config.base_url)

    # -- what they are made of ----------------------------------------------------------------------------------------

    def _rehearse(self, stop: Callable[[], bool]) -> RunReport:
        now = self.clock.now()
        with self._sources() as sources:
            results = list(read_all(self.database, sources, now, stop=stop))
        with self.database.rehearsal() as connection:
            collected = CollectReport(sources=tuple(store(connection, result, now) for result in results))
            published = rehearse(connection, self.digests, self.render, now)
        return RunReport(dry_run=True, collect=collected, publish=published)

    @contextmanager
    def _sources(self) -> Iterator[list[Source]]:
        with ExitStack() as stack:
            yield [_source(table, stack.enter_context(self._http(table.name))) for table in self.config.sources]

    def _http(self, source: str) -> Http:
        network = self.config.network
        own_hosts = frozenset(network.allow_private_hosts)
        contact = network.user_agent_contact or parseaddr(self.config.mail.sender)[1]
        return Http(
            clock=self._real_clock,
            gates=StoredGates(self.database, own_hosts=own_hosts),
            validators=partial(self._validators, source),
            user_agent=f"digestmail/{VERSION} (+{contact})",
            timeout=network.timeout,
            max_body_bytes=network.max_body_bytes,
            allow_private_hosts=own_hosts,
            random=self._random,
        )

    def _validators(self, source: str, url: str) -> Validators:
        with self.database.connect() as connection:
            return stored_sources.find_validators(connection, source, url)

    def letters(self) -> EditionLetters:
        """Return what writes the messages of deliveries."""
        sender = parseaddr(self.config.mail.sender)[1]
        domain = self._domain()
        return EditionLetters(
            self.database, self.render, self._mould, Tokens(self._secret()), sender=sender, domain=domain
        )

    def _mould(self, edition: Edition, rendered: Rendered) -> Mould:
        mail = self.config.mail
        sender = Sender(
            mailbox=mail.sender, reply_to=mail.reply_to, domain=self._domain(), base_url=self.config.base_url
        )
        return Mould(rendered, sender, digest=edition.digest, title=edition.title)

    def _domain(self) -> str:
        host = urlsplit(self.config.base_url).hostname if self.config.base_url else None
        return wire_domain(host or parseaddr(self.config.mail.sender)[1].rpartition("@")[2])

    def _secret(self) -> str:
        with self.database.begin() as connection:
            return secret(connection, lambda: secrets.token_urlsafe(32))

    def epoch(self) -> EpochFile:
        """Return the guard against a database put back from a backup."""
        return EpochFile(self.base / self.config.epoch_file, self._secret())

    def transport(self) -> Transport:
        """Return the way out for single messages; nothing is connected yet."""
        mail = self.config.mail
        return MaildirTransport(self.base / mail.maildir.path) if mail.transport == "maildir" else self._smtp(mail.smtp)

    def relays(self) -> tuple[Relay, ...]:
        """Return the ways out, in the order of preference; nothing is connected yet."""
        mail = self.config.mail
        if mail.transport == "maildir":
            return (BlockingRelay(MaildirTransport(self.base / mail.maildir.path), name="maildir"),)
        return (self._smtp(mail.smtp), *((self._smtp(mail.fallback),) if mail.fallback else ()))

    def _smtp(self, smtp: settings.SmtpTable) -> SmtpTransport:
        login = None
        if smtp.username is not None:
            login = Login(
                username=smtp.username,
                password=smtp.password.get_secret_value() if smtp.password else "",
                token_file=self.base / smtp.oauth_token_file if smtp.oauth_token_file else None,
            )
        return SmtpTransport(
            name=f"{smtp.host}:{smtp.port}",
            host=smtp.host,
            port=smtp.port,
            security=smtp.security,
            dialect=smtp.protocol,
            login=login,
            timeout=smtp.timeout,
            connections=smtp.connections,
            messages_per_connection=smtp.messages_per_connection,
            messages_per_second=smtp.messages_per_second,
        )


def _source(table: settings.AnySource, http: Http) -> Source:
    match table:
        case settings.HuggingFaceTable():
            return HuggingFace(name=table.name, fetcher=http, base_url=table.base_url)
        case settings.ArxivFeedTable():
            return ArxivFeed(
                name=table.name,
                fetcher=http,
                base_url=table.base_url,
                categories=table.categories,
                include_cross=table.include_cross,
                include_replacements=table.include_replacements,
            )
        case settings.ArxivApiTable():
            return ArxivApi(
                name=table.name, fetcher=http, base_url=table.base_url, categories=table.categories, query=table.query
            )
        case settings.FeedTable():
            return Feed(name=table.name, fetcher=http, url=table.url)
        case _:
            assert_never(table)
