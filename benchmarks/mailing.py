"""The setup of a mailing: subscribers, a published edition, messages of a given size, in a separate database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from digestmail.clock import SystemClock
from digestmail.collect.collector import collect
from digestmail.delivery.composers import Composers
from digestmail.delivery.edition_composer import EditionComposer
from digestmail.delivery.epoch import EpochFile
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.worker import Worker
from digestmail.editions.publish import publish
from digestmail.mail.dkim import Signer
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.placeholders import unsubscribe_placeholder
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import AmbiguousPolicy, Rendered
from digestmail.model.digests import Digest, Schedule
from digestmail.model.editions import Edition
from digestmail.model.papers import Origin, Paper, PaperId, Reading, Sighting
from digestmail.model.reports import DeliverReport
from digestmail.storage.database import Database
from digestmail.storage.schema import Moment
from digestmail.transports.smtp.client import SmtpTransport
from digestmail.wiring.mail import threads_for

SENDER = Sender(mailbox="Papers <digest@example.org>", domain="example.org", base_url="https://digest.example.org")
WORDS = "We look at how a model of modest size decides which of its layers a question needs.\n"
NONCE = "benchmark"
DIGEST = Digest(
    name="daily",
    title="Trending papers",
    schedule=Schedule(cron="* * * * *", timezone="UTC"),
    sources=("one",),
)
_CHUNK = 10_000


class Source:
    """One paper, seen today."""

    name = "one"

    def read(self, now: datetime, since: datetime | None) -> Reading:  # noqa: ARG002 - as a source has it
        """Return the paper."""
        paper = Paper(
            id=PaperId("arxiv:2604.00001"),
            title="A paper",
            origin=Origin.HUGGING_FACE,
            link="https://arxiv.org/abs/2604.00001",
            abstract="We study something.",
        )
        seen = Sighting(source=self.name, paper=paper, day=now.date())
        return Reading(source=self.name, entries=1, sightings=(seen,), validators={})


class Mailing:
    """A database with `people` subscribers and one paper; `publish` it, then `deliver` it as often as you like."""

    def __init__(self, url: str, directory: Path, people: int, *, fill: bool = True) -> None:
        """Make the database's tables and fill in the people, unless another did; `directory` keeps the rest."""
        self.database = Database.open(url, base=directory)
        self.database.upgrade()
        self.clock = SystemClock()
        self.people = people
        self._epoch = EpochFile(directory / f"epoch-{self.database.dialect}", "benchmark")
        if fill:
            self._fill()
            collect(self.database, [Source()], self.clock.now())

    def publish(self) -> None:
        """Publish the edition: one delivery each."""
        report = publish(self.database, [DIGEST], lambda *_, **__: rendered(1000), self.clock.now())
        assert report.digests[0].recipients == self.people, report

    def requeue(self, count: int) -> None:
        """Put the first `count` deliveries back to where publishing left them, and cancel the others."""
        with self.database.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE deliveries SET state = 'queued', attempts = 0, fence = 0, due_at = queued_at, ended_at = NULL,"
                f" code = NULL, text = NULL, milliseconds = NULL WHERE subscriber_id <= {count:d}"
            )
            connection.exec_driver_sql(
                f"UPDATE deliveries SET state = 'cancelled', due_at = NULL WHERE subscriber_id > {count:d}"
            )
        if self.database.dialect == "postgresql":
            with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE deliveries")

    def deliver(self, port: int, *, sessions: int, size: int, signers: Sequence[Signer] = ()) -> DeliverReport:
        """Deliver the queue, in messages of `size` octets, to the server at `port` of this machine."""

        def message_template(edition: Edition, content: Rendered) -> MessageTemplate:
            return MessageTemplate(content, SENDER, digest=edition.digest, title=edition.title, signers=signers)

        def render(*_: object, **__: object) -> Rendered:
            return rendered(size)

        composer = EditionComposer(
            self.database, render, message_template, Tokens("secret"), sender="digest@example.org", domain="example.org"
        )
        relay = SmtpTransport(
            host="127.0.0.1",
            port=port,
            security="none",
            timeout=60,
            connections=sessions,
            messages_per_connection=10**9,
        )
        rules = Rules(give_up=timedelta(days=4), max_lateness=timedelta(days=2), ambiguous=AmbiguousPolicy.RESEND)
        return Worker(
            self.database,
            [relay],
            Composers(editions=composer, notices=composer, threads=threads_for(signers)),
            self.clock,
            rules,
            self._epoch,
            random=Random(),  # it names the worker
        ).deliver()

    def _fill(self) -> None:
        mark = "?" if self.database.dialect == "sqlite" else "%s"
        with self.database.begin() as connection:
            now = Moment().process_bind_param(self.clock.now(), connection.dialect)
            for first in range(1, self.people + 1, _CHUNK):
                ids = range(first, min(first + _CHUNK, self.people + 1))
                rows = [(id_, f"reader{id_}@example.org", f"reader{id_}@example.org", now, now) for id_ in ids]
                connection.exec_driver_sql(
                    "INSERT INTO subscribers (id, address, key, state, created_at, updated_at)"
                    f" VALUES ({mark}, {mark}, {mark}, 'active', {mark}, {mark})",
                    rows,
                )
                connection.exec_driver_sql(
                    "INSERT INTO subscriptions (digest, subscriber_id, topics, created_at)"
                    f" VALUES ('daily', {mark}, '[]', {mark})",
                    [(id_, now) for id_ in ids],
                )


def rendered(size: int) -> Rendered:
    """Return what makes a message of about `size` octets, a fifth of them plain text."""
    room = size - 2500  # headers, links
    text = WORDS * (room // 5 // len(WORDS)) + unsubscribe_placeholder(NONCE)
    html = f"<p>{WORDS}</p>" * (room * 4 // 5 // (len(WORDS) + 9)) + unsubscribe_placeholder(NONCE)
    return Rendered(subject="Trending papers", html=html, text=text, nonce=NONCE)
