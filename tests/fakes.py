"""Fakes for the pipeline: a clock that does not wait, and scripted sources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

from digestmail.errors import DeliveryError, DigestmailError, TransportError
from digestmail.model.deliveries import Envelope, Rendered
from digestmail.model.digests import Digest, Limits, OnEmpty, Schedule, Topic
from digestmail.model.editions import Edition
from digestmail.model.papers import Origin, Paper, PaperId, Reading, Sighting, Signals, Validators
from digestmail.model.selection import Section
from digestmail.transports.base import MessageSource, Receipt, Verdict

THURSDAY = datetime(2026, 4, 2, 8, 0, tzinfo=UTC)


class FakeClock:
    """Sleeping takes no time but moves the clock."""

    def __init__(self, now: datetime = THURSDAY) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def paper(number: int, *, title: str | None = None, **fields) -> Paper:
    arxiv = f"2604.{number:05d}"
    return Paper(
        id=PaperId(f"arxiv:{arxiv}"),
        title=title or f"Paper {number}",
        origin=fields.pop("origin", Origin.HUGGING_FACE),
        link=f"https://arxiv.org/abs/{arxiv}",
        abstract=fields.pop("abstract", "We study something."),
        **fields,
    )


def sighting(number: int, *, source: str = "hf", day: date | None = None, upvotes: int = 1, **fields) -> Sighting:
    day = day or THURSDAY.date()
    return Sighting(source=source, paper=paper(number, **fields), day=day, signals=Signals(upvotes=upvotes))


class FakeSource:
    """Returns its script, or raises it."""

    def __init__(self, name: str, *says: Reading | Exception) -> None:
        self.name = name
        self.says = list(says)
        self.asked: list[datetime | None] = []

    def read(self, now: datetime, since: datetime | None) -> Reading:
        self.asked.append(since)
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return said


def reading(*sightings: Sighting, source: str = "hf", **fields) -> Reading:
    return Reading(
        source=source,
        entries=len(sightings),
        sightings=sightings,
        validators={f"https://example.org/{source}": Validators(etag='"1"')},
        **fields,
    )


def digest(name: str = "daily", **fields) -> Digest:
    return Digest(
        name=name,
        title=fields.pop("title", "Trending papers"),
        schedule=Schedule(cron=fields.pop("cron", "0 7 * * *"), timezone=fields.pop("timezone", "UTC")),
        sources=fields.pop("sources", ("hf",)),
        limits=fields.pop("limits", Limits()),
        on_empty=fields.pop("on_empty", OnEmpty.SKIP),
        **fields,
    )


AGENTS = Topic(name="Agents", keywords=("agent",))
VISION = Topic(name="Vision", keywords=("image",))


def render(edition: Edition, sections: Sequence[Section], *, language: str | None = None) -> Rendered:
    """Render nothing but the titles."""
    titles = "\n".join(entry.paper.title for section in sections for entry in section.entries)
    return Rendered(subject=edition.title, html=f"<p>{titles}</p>", text=titles)


class FakeTransport:
    """Stores what was sent; `verdict` may raise for a recipient."""

    connections = 1
    messages_per_second = None

    def __init__(self, verdict: Callable[[str], None] = lambda _: None, *, name: str = "fake") -> None:
        self.name = name
        self.verdict = verdict
        self.sent: list[tuple[str, bytes]] = []
        self.refuses: DigestmailError | None = None
        self.sessions = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[FakeTransport]:
        if self.refuses is not None:
            raise self.refuses
        self.sessions += 1
        yield self

    async def send_all(self, source: MessageSource) -> None:
        while (message := await source.take()) is not None:
            verdict: Verdict
            try:
                verdict = await asyncio.to_thread(self.send, message.envelope, message.message)
            except (DeliveryError, TransportError) as error:
                verdict = error
            message.resolve(verdict)
            if isinstance(verdict, TransportError):
                raise verdict

    def send(self, envelope: Envelope, message: bytes) -> Receipt:
        self.verdict(envelope.recipient)
        self.sent.append((envelope.recipient, message))
        return Receipt(code=250, text="queued")

    @property
    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.sent]
