"""The wiring: the only place that names concrete classes together. Doors call its verbs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from random import Random
from typing import Self, assert_never
from urllib.parse import urlsplit

from digestmail import __version__
from digestmail.bounces.counting import Recorded
from digestmail.bounces.mailboxes.base import Mailbox
from digestmail.bounces.mailboxes.maildir import MaildirMailbox
from digestmail.bounces.mailboxes.mbox import MboxMailbox
from digestmail.bounces.parsing.report import InboundReport
from digestmail.bounces.processor import BounceProcessor, BouncesReport, Request
from digestmail.clock import Clock, SystemClock
from digestmail.collect.collector import collect, read_all, store
from digestmail.config.bounces import BouncesTable
from digestmail.config.mail import SmtpTable
from digestmail.config.settings import Config
from digestmail.config.sources import AnySource, ArxivApiTable, ArxivFeedTable, FeedTable, HuggingFaceTable
from digestmail.delivery.composer import EditionComposer
from digestmail.delivery.epoch import EpochFile
from digestmail.delivery.notices import NoticeComposer, NoticeOrigin, NoticeReport, send_notices
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.pacing import DomainLimit, DomainLimits
from digestmail.delivery.worker import Worker, outbox_report
from digestmail.editions.compose import Composed, compose, upcoming_slot
from digestmail.editions.publish import dry_run_publish, publish
from digestmail.errors import RenderError
from digestmail.mail.dkim import Signer
from digestmail.mail.link_tokens import LinkTokens
from digestmail.mail.message import MessageTemplate, Sender, wire_domain
from digestmail.mail.render import Renderer, page
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import Rendered
from digestmail.model.digests import Digest
from digestmail.model.editions import Edition
from digestmail.model.papers import Validators
from digestmail.model.reports import CollectReport, DeliverReport, PublishReport, RunReport
from digestmail.model.selection import Section
from digestmail.model.theme import Appearance
from digestmail.selection.segments import for_everybody
from digestmail.sources.arxiv_api import ArxivApi
from digestmail.sources.arxiv_feed import ArxivFeed
from digestmail.sources.base import Source
from digestmail.sources.feed import Feed
from digestmail.sources.http.client import Http
from digestmail.sources.huggingface import HuggingFace
from digestmail.storage import delivery_admin, notices
from digestmail.storage import sources as stored_sources
from digestmail.storage.database import Database
from digestmail.storage.host_limits import StoredGates
from digestmail.storage.settings import bump_epoch, epoch, find_secrets, mark_restored, rotate
from digestmail.storage.settings import secrets as signing_secrets
from digestmail.subscribers import preferences
from digestmail.subscribers.signup import forget_unconfirmed
from digestmail.transports.base import Relay, Transport
from digestmail.transports.blocking import BlockingRelay
from digestmail.transports.maildir import MaildirTransport
from digestmail.transports.smtp.client import Login, SmtpTransport

_LISTEN_STEP = 0.5
"""Seconds between two looks at whether to stop listening."""
Progress = Callable[[str, int, int | None], None]
"""Told the name of the stage, how many units of it are done and how many there are, if that is known."""


def new_secret() -> str:
    """Return a secret nobody can guess, of letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(32)


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
        wall_clock: Clock | None = None,
    ) -> None:
        """Open nothing yet. Relative paths start at `base`, the directory of the configuration file.

        `clock` decides what is due and what is new. Hosts are asked, and mail is queued, claimed and dated, by
        `wall_clock`: a back-fill must not end another worker's lease.
        """
        self.config = config
        self.base = base
        self.clock = clock
        self.wall_clock = wall_clock or SystemClock()
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
                    horizon=self.horizon(),
                    stop=stop,
                    progress=lambda done: self._progress("collect", done, total),
                )
            results = list(read_all(self.database, sources, now, horizon=self.horizon(), stop=stop))
        with self.database.rehearsal() as connection:
            return CollectReport(sources=tuple(store(connection, result, now, self.horizon()) for result in results))

    def publish(self, *, dry_run: bool = False, stop: Callable[[], bool] = _never) -> PublishReport:
        """Publish every digest that is due. With `dry_run` nothing is kept."""
        now = self.clock.now()
        if not dry_run:
            with self.database.connect() as connection:
                self.epoch().check(lambda: epoch(connection))
            queued_at = self.wall_clock.now()
            return publish(self.database, self.digests, self.render, now, queued_at=queued_at, stop=stop)
        with self.database.rehearsal() as connection:
            return dry_run_publish(connection, self.digests, self.render, now, self.wall_clock.now())

    def deliver(self, *, stop: Callable[[], bool] = _never) -> DeliverReport:
        """Deliver what is due, notices first."""
        self.send_notices(stop=stop)
        mail = self.config.mail
        deliverer = Worker(
            self.database,
            self.relays(),
            self.letters(),
            self.wall_clock,
            Rules(
                give_up=timedelta(hours=mail.give_up_hours),
                max_lateness=timedelta(hours=mail.max_lateness_hours),
                ambiguous=mail.ambiguous,
            ),
            self.epoch(),
            limits=DomainLimits(
                domains={
                    wire_domain(table.name.lower()): DomainLimit(
                        messages_per_second=table.messages_per_second, connections=table.connections
                    )
                    for table in mail.domains
                }
            ),
            scoring=self.config.bounces.scoring(),
            random=self._random,
            stop=stop,
            progress=lambda done: self._progress("deliver", done, None),
        )
        return deliverer.deliver()

    def read_bounces(self, *, stop: Callable[[], bool] = _never) -> BouncesReport:
        """Read the mailbox bounces are delivered to, or listen until `stop` says so. Raises MailboxError.

        Who unsubscribed by mail is sent a goodbye at once.
        """
        table = self.config.bounces
        postmaster = self._postmaster()
        if table.kind != "listen":
            report = postmaster.read(_mailbox(table, self.base), stop=stop)
            if report.unsubscribed:
                self.send_notices()
            return report
        from digestmail.bounces.mailboxes.listener import Listener

        listener = Listener(
            postmaster.take,
            wants=postmaster.wants,
            host=table.host,
            port=table.port,
            protocol=table.protocol,
            max_bytes=table.max_bytes,
            timeout=table.timeout,
        )
        listener.start()
        told = 0
        try:
            while not stop():
                self.wall_clock.sleep(_LISTEN_STEP)
                left = postmaster.report().unsubscribed
                if left > told:
                    self.send_notices()
                told = left
        finally:
            listener.stop()
        return postmaster.finish()

    def ingest_events(self, events: Iterable[InboundReport]) -> BouncesReport:
        """Count what a mail provider tells, whose caller has made sure that it is the provider. Raises StorageError."""
        postmaster = self._postmaster()
        for event in events:
            postmaster.count(event)
        return postmaster.report()

    def adopt(self) -> int:
        """Go on with a database put back from a backup; return how many open deliveries were cancelled.

        Nobody knows which of them went out after the backup was made, nor which editions were published: what is open
        is cancelled, and slots that began before now get no edition.
        """
        now, seen = self.wall_clock.now(), self.epoch().seen
        with self.database.begin() as connection:
            cancelled = delivery_admin.cancel_open(connection, "the database was put back from a backup", now)
            mark_restored(connection, now)
            bump_epoch(connection, max(epoch(connection), seen))
        return cancelled

    def send_notices(self, *, stop: Callable[[], bool] = _never) -> NoticeReport:
        """Send the notices that are due."""
        forget_unconfirmed(self.database, self.wall_clock.now())
        with self.database.connect() as connection:
            if not notices.is_due(connection, self.wall_clock.now()):
                return NoticeReport()
        return send_notices(
            self.database,
            self.transport(),
            self._notice_letters(),
            self.wall_clock,
            give_up=timedelta(hours=self.config.mail.give_up_hours),
            random=self._random,
            stop=stop,
        )

    def outbox(self) -> DeliverReport:
        """Return how the outbox stands, delivering nothing."""
        with self.database.connect() as connection:
            return outbox_report(connection)

    def upcoming(self, digest: Digest) -> Composed:
        """Return the edition of `digest` that would go out now, or next."""
        now = self.clock.now()
        with self.database.connect() as connection:
            slot = upcoming_slot(connection, digest, now, self.horizon())
            return compose(connection, digest, slot, now, self.horizon())

    def horizon(self) -> datetime:
        """Return the latest it can be: what is dated behind it a clock that was ahead has dated."""
        return max(self.clock.now(), self.wall_clock.now())

    def preview(self, digest: Digest) -> str:
        """Return the mail of the edition that would go out now as a page for the browser. Raises RenderError."""
        edition = self.upcoming(digest).edition
        return page(self.render(edition, for_everybody(edition)))

    def render(self, edition: Edition, sections: tuple[Section, ...], *, language: str | None = None) -> Rendered:
        """Return the words of the mail for `sections` of `edition`. Raises RenderError."""
        look = next((digest.look for digest in self.digests if digest.name == edition.digest), Appearance())
        return self.renderer.render(
            edition,
            sections,
            base_url=self.config.base_url,
            language=language,
            look=look,
            measure=partial(self._octets, edition),
        )

    def _octets(self, edition: Edition, rendered: Rendered) -> int:
        try:
            return self.message_template(edition, rendered).octets()
        except ValueError as error:
            raise RenderError(f"the headers cannot be written: {error}") from error

    # -- what they are made of ----------------------------------------------------------------------------------------

    def _rehearse(self, stop: Callable[[], bool]) -> RunReport:
        now = self.clock.now()
        with self._sources() as sources:
            results = list(read_all(self.database, sources, now, horizon=self.horizon(), stop=stop))
        with self.database.rehearsal() as connection:
            stored = tuple(store(connection, result, now, self.horizon()) for result in results)
            collected = CollectReport(sources=stored)
            published = dry_run_publish(connection, self.digests, self.render, now, self.wall_clock.now())
        return RunReport(dry_run=True, collect=collected, publish=published)

    def _postmaster(self) -> BounceProcessor:
        return BounceProcessor(
            self.database,
            self.tokens,
            self.config.bounces.scoring(),
            self.wall_clock,
            address=self.config.mail.bounce_address,
            leave=self._leave,
            digests=[digest.name for digest in self.digests],
        )

    def _leave(self, request: Request) -> Recorded:
        """Unsubscribe who asked for it by mail."""
        left = preferences.leave(
            self.database, request.subscriber_id, request.digest, self.wall_clock.now(), report=request.report
        )
        if not left.known:
            return Recorded.UNKNOWN
        return Recorded.COUNTED if left.digests else Recorded.REPEATED

    @contextmanager
    def _sources(self) -> Iterator[list[Source]]:
        with ExitStack() as stack:
            yield [_source(table, stack.enter_context(self._http(table.name))) for table in self.config.sources]

    def _http(self, source: str) -> Http:
        network = self.config.network
        own_hosts = frozenset(network.allow_private_hosts)
        contact = network.user_agent_contact or self.config.mail.sender_address
        return Http(
            clock=self.wall_clock,
            gates=StoredGates(self.database, own_hosts=own_hosts),
            validators=partial(self._validators, source),
            user_agent=f"digestmail/{__version__} (+{contact})",
            timeout=network.timeout,
            max_body_bytes=network.max_body_bytes,
            allow_private_hosts=own_hosts,
            random=self._random,
        )

    def _validators(self, source: str, url: str) -> Validators:
        with self.database.connect() as connection:
            return stored_sources.find_validators(connection, source, url, self.horizon())

    def letters(self) -> EditionComposer:
        """Return what writes the messages of deliveries."""
        sender = self.config.mail.sender_address
        domain = self.domain()
        return EditionComposer(
            self.database,
            self.render,
            self.message_template,
            self.tokens,
            sender=sender,
            domain=domain,
            bounce_address=self.config.mail.bounce_address,
        )

    @cached_property
    def signers(self) -> tuple[Signer, ...]:
        """The DKIM keys, Ed25519 before RSA: a verifier that knows one of them only stops at its own."""
        mail = self.config.mail
        keys = sorted(mail.dkim.keys().items())
        return tuple(
            Signer(domain=mail.dkim_domain(), selector=selector, pem=(self.base / file).read_bytes())
            for _, (selector, file) in keys
        )

    def message_template(self, edition: Edition, rendered: Rendered) -> MessageTemplate:
        """Return what casts the mail of one segment of `edition` for one recipient after the other."""
        return MessageTemplate(
            rendered, self._sender(), digest=edition.digest, title=edition.title, signers=self.signers
        )

    def _notice_letters(self) -> NoticeComposer:
        place = NoticeOrigin(
            base_url=self.config.base_url, sender=self.config.mail.sender_address, domain=self.domain()
        )
        look = self.digests[0].look
        return NoticeComposer(
            self.database,
            self.digests,
            partial(self.renderer.notice, look=look),
            lambda rendered, title: MessageTemplate(
                rendered, self._sender(), digest="notice", title=title, notice=True, signers=self.signers
            ),
            self.tokens,
            self.link_tokens(),
            place=place,
        )

    def _sender(self) -> Sender:
        mail = self.config.mail
        return Sender(
            mailbox=mail.sender,
            reply_to=mail.reply_to,
            bounce_address=mail.bounce_address,
            domain=self.domain(),
            base_url=self.config.base_url,
        )

    def domain(self) -> str:
        """Return the domain, as A-labels, that every List-Id and Message-ID ends in."""
        host = urlsplit(self.config.base_url).hostname if self.config.base_url else None
        return wire_domain(host or self.config.mail.sender_address.rpartition("@")[2])

    @property
    def tokens(self) -> Tokens:
        """What signs links, return paths and Message-IDs, with the secrets as they are now: they may be rotated."""
        return Tokens(*self._secrets())

    def link_tokens(self) -> LinkTokens:
        """Return what signs confirmation links and forms."""
        return LinkTokens(self._secrets())

    def rotate_secrets(self, *, forget: bool) -> int:
        """Sign with a new secret from now on; return how many are kept. With `forget` only the new one is.

        The guard against a database put back knows this one by its oldest secret, and is told the new one.
        """
        seen = self.epoch().seen
        with self.database.begin() as connection:
            kept = rotate(connection, new_secret, forget=forget)
        if seen:
            self.epoch().note(seen)
        return kept

    def _secrets(self) -> tuple[str, ...]:
        with self.database.connect() as connection:
            found = find_secrets(connection)
        if found:
            return found
        with self.database.begin() as connection:
            return signing_secrets(connection, new_secret)

    def epoch(self) -> EpochFile:
        """Return the guard against a database put back from a backup."""
        return EpochFile(self.base / self.config.epoch_file, self._secrets()[-1])

    def transport(self) -> Transport:
        """Return the way out for single messages; nothing is connected yet."""
        mail = self.config.mail
        return MaildirTransport(self.base / mail.maildir.path) if mail.transport == "maildir" else self._smtp(mail.smtp)

    def transports(self) -> tuple[Transport, ...]:
        """Return every way out for single messages, the fallback too."""
        fallback = self.config.mail.fallback
        if fallback is None or self.config.mail.transport == "maildir":
            return (self.transport(),)
        return (self.transport(), self._smtp(fallback))

    def relays(self) -> tuple[Relay, ...]:
        """Return the ways out, in the order of preference; nothing is connected yet."""
        mail = self.config.mail
        if mail.transport == "maildir":
            return (BlockingRelay(MaildirTransport(self.base / mail.maildir.path), name="maildir"),)
        return (self._smtp(mail.smtp), *((self._smtp(mail.fallback),) if mail.fallback else ()))

    def _smtp(self, smtp: SmtpTable) -> SmtpTransport:
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
            ca_file=self.base / smtp.ca_file if smtp.ca_file else None,
            server_name=smtp.server_name,
            local_hostname=smtp.ehlo_name,
            login=login,
            timeout=smtp.timeout,
            connections=smtp.connections,
            messages_per_connection=smtp.messages_per_connection,
            messages_per_second=smtp.messages_per_second,
        )


def _mailbox(table: BouncesTable, base: Path) -> Mailbox:
    if table.kind == "imap":
        from digestmail.bounces.mailboxes.imap import ImapMailbox

        return ImapMailbox(
            host=table.host,
            port=table.port,
            security=table.security,
            ca_file=base / table.ca_file if table.ca_file else None,
            username=table.username or "",
            password=table.password.get_secret_value() if table.password else "",
            folder=table.folder,
            timeout=table.timeout,
            max_bytes=table.max_bytes,
        )
    kind = MboxMailbox if table.kind == "mbox" else MaildirMailbox
    return kind(base / table.path, max_bytes=table.max_bytes)


def _source(table: AnySource, http: Http) -> Source:
    match table:
        case HuggingFaceTable():
            return HuggingFace(name=table.name, fetcher=http, base_url=table.base_url)
        case ArxivFeedTable():
            return ArxivFeed(
                name=table.name,
                fetcher=http,
                base_url=table.base_url,
                categories=table.categories,
                include_cross=table.include_cross,
                include_replacements=table.include_replacements,
            )
        case ArxivApiTable():
            return ArxivApi(
                name=table.name, fetcher=http, base_url=table.base_url, categories=table.categories, query=table.query
            )
        case FeedTable():
            return Feed(name=table.name, fetcher=http, url=table.url)
        case _:
            assert_never(table)
