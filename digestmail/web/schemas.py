"""What the API says, as it says it: these models are the OpenAPI document."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from digestmail.bounces.processor import BouncesReport
from digestmail.model.archive import EditionLine, StoredSighting
from digestmail.model.editions import Edition
from digestmail.model.papers import Paper, Signals
from digestmail.model.search import Hit
from digestmail.model.selection import Entry
from digestmail.model.subscribers import Subscriber, SubscriberState, SuppressionReason
from digestmail.selection.segments import for_everybody
from digestmail.web.filters import web_link


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Counts(_Shape):
    """What a source counted for a paper; null where it does not say."""

    upvotes: int | None
    comments: int | None
    stars: int | None

    @classmethod
    def of(cls, signals: Signals) -> Self:
        """Return the shape of `signals`."""
        return cls(upvotes=signals.upvotes, comments=signals.comments, stars=signals.stars)


class PaperOut(_Shape):
    """A paper. Texts are plain text; links are http or https, or null."""

    id: str
    aliases: list[str]
    title: str
    abstract: str
    summary: str | None
    authors: list[str]
    categories: list[str]
    keywords: list[str]
    organization: str | None
    published_at: datetime | None
    withdrawn: bool
    link: str | None
    discussion_url: str | None
    code_url: str | None
    project_url: str | None
    thumbnail_url: str | None

    @classmethod
    def of(cls, paper: Paper) -> Self:
        """Return the shape of `paper`."""
        links = ("link", "discussion_url", "code_url", "project_url", "thumbnail_url")
        texts = ("id", "title", "abstract", "summary", "organization", "published_at", "withdrawn")
        lists = ("aliases", "authors", "categories", "keywords")
        return cls.model_validate(
            {name: getattr(paper, name) for name in texts}
            | {name: list(getattr(paper, name)) for name in lists}
            | {name: web_link(getattr(paper, name)) or None for name in links}
        )


class SightingOut(_Shape):
    """One source mentioned the paper."""

    source: str
    day: date
    seen_at: datetime
    counts: Counts

    @classmethod
    def of(cls, row: StoredSighting) -> Self:
        """Return the shape of `row`."""
        return cls(source=row.source, day=row.day, seen_at=row.seen_at, counts=Counts.of(row.signals))


class EditionName(_Shape):
    """What an edition is known by."""

    digest: str
    slot: str


class PaperDetail(_Shape):
    """A paper with who mentioned it when, and the editions it was in, oldest first."""

    paper: PaperOut
    sightings: list[SightingOut]
    editions: list[EditionName]


class Papers(_Shape):
    """Papers, the ones added last first. `next` is the address of what follows, null at the end."""

    items: list[PaperOut]
    next: str | None


class SearchResultOut(_Shape):
    """A paper that was found."""

    paper: PaperOut
    first_seen_on: date

    @classmethod
    def of(cls, hit: Hit) -> Self:
        """Return the shape of `hit`."""
        return cls(paper=PaperOut.of(hit.paper), first_seen_on=hit.first_seen_on)


class SearchResults(_Shape):
    """Papers that match, the best first; the newest 2,000 matches are counted and ranked."""

    items: list[SearchResultOut]
    total: int
    next: str | None


class EditionSummary(_Shape):
    """An edition in one line."""

    digest: str
    slot: str
    day: date
    composed_at: datetime
    papers: int

    @classmethod
    def of(cls, line: EditionLine) -> Self:
        """Return the shape of `line`."""
        return cls(digest=line.digest, slot=line.slot, day=line.day, composed_at=line.composed_at, papers=line.papers)


class Editions(_Shape):
    """Editions, newest first."""

    items: list[EditionSummary]
    next: str | None


class EntryOut(_Shape):
    """A paper in an edition, as it was on the day."""

    rank: int
    score: float
    counts: Counts
    keywords: list[str]
    paper: PaperOut

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Return the shape of `entry`."""
        return cls(
            rank=entry.rank,
            score=entry.score.total,
            counts=Counts.of(entry.signals),
            keywords=list(entry.match.keywords) if entry.match else [],
            paper=PaperOut.of(entry.paper),
        )


class SectionOut(_Shape):
    """One topic's papers; the topic is null for what matches none."""

    topic: str | None
    more: int
    entries: list[EntryOut]


class EditionOut(_Shape):
    """An edition as who takes everything gets it."""

    digest: str
    slot: str
    day: date
    title: str
    byline: str
    composed_at: datetime
    sections: list[SectionOut]

    @classmethod
    def of(cls, edition: Edition) -> Self:
        """Return the shape of `edition`."""
        return cls(
            digest=edition.digest,
            slot=edition.slot.key,
            day=edition.slot.day,
            title=edition.title,
            byline=edition.byline,
            composed_at=edition.composed_at,
            sections=[
                SectionOut(
                    topic=section.topic, more=section.more, entries=[EntryOut.of(entry) for entry in section.entries]
                )
                for section in for_everybody(edition)
            ],
        )


class DigestOut(_Shape):
    """A digest and the topics to choose from."""

    name: str
    title: str
    byline: str
    topics: list[str]


class Digests(_Shape):
    """All digests."""

    items: list[DigestOut]


class SubscriptionOut(_Shape):
    """What a person gets; no topics means all of them."""

    digest: str
    topics: list[str]
    hour: int | None


class SubscriberOut(_Shape):
    """A person's address and what they asked for."""

    id: int
    address: str
    state: SubscriberState
    created_at: datetime
    subscriptions: list[SubscriptionOut]

    @classmethod
    def of(cls, subscriber: Subscriber) -> Self:
        """Return the shape of `subscriber`."""
        return cls(
            id=subscriber.id,
            address=subscriber.address,
            state=subscriber.state,
            created_at=subscriber.created_at,
            subscriptions=[
                SubscriptionOut(digest=one.digest, topics=list(one.topics), hour=one.hour)
                for one in subscriber.subscriptions
            ],
        )


class Subscribers(_Shape):
    """Subscribers in the order they came."""

    items: list[SubscriberOut]
    next: str | None


class SuppressionOut(_Shape):
    """An address nothing is sent to: `key` is the casefolded address, or a hash of one that was erased."""

    key: str
    reason: SuppressionReason
    detail: str
    created_at: datetime


class Suppressions(_Shape):
    """Suppressions, newest first."""

    items: list[SuppressionOut]
    next: str | None


Address = Annotated[str, Field(min_length=3, max_length=254)]


class NewSubscription(_Shape):
    """Who is to get what, active at once: the operator answers for the person's consent."""

    address: Address
    digest: Annotated[str, Field(max_length=40)]
    topics: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)] = []


class NewSuppression(_Shape):
    """Whom nothing is to be sent to any more, and a note why."""

    address: Address
    detail: Annotated[str, Field(max_length=500)] = ""


class EventsAccepted(_Shape):
    """What became of the events a provider told; each counts in one number."""

    recorded: int
    """Bounces and complaints that count from now on."""
    repeated: int
    unknown: int
    """About nobody we know."""
    skipped: int
    """Of a kind that counts against nobody, or not to be read."""

    @classmethod
    def of(cls, report: BouncesReport, unreadable: int) -> Self:
        """Return the shape of `report`."""
        recorded = report.hard + report.soft + report.complaints
        return cls(
            recorded=recorded,
            repeated=report.repeated,
            unknown=report.unmatched,
            skipped=report.read - recorded - report.repeated - report.unmatched + unreadable,
        )


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
