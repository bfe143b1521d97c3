"""The JSON of the public API. The OpenAPI document is generated from these models."""

from __future__ import annotations

from datetime import date, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from digestmail.model.archive import EditionLine, StoredSighting
from digestmail.model.editions import Edition
from digestmail.model.literature import IndexRecord
from digestmail.model.papers import Paper, Signals
from digestmail.model.search import Hit
from digestmail.model.selection import Entry
from digestmail.model.summaries import PaperSummary
from digestmail.selection.segments import for_all_topics
from digestmail.web.filters import web_link


class ApiModel(BaseModel):
    """The base class of all models of the API."""

    model_config = ConfigDict(extra="forbid")


class Counts(ApiModel):
    """Counts from a source; null if the source does not provide them."""

    upvotes: int | None
    comments: int | None
    stars: int | None

    @classmethod
    def of(cls, signals: Signals) -> Self:
        """Convert `signals`."""
        return cls(upvotes=signals.upvotes, comments=signals.comments, stars=signals.stars)


class PaperOut(ApiModel):
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
        """Convert `paper`."""
        links = ("link", "discussion_url", "code_url", "project_url", "thumbnail_url")
        texts = ("id", "title", "abstract", "summary", "organization", "published_at", "withdrawn")
        lists = ("aliases", "authors", "categories", "keywords")
        return cls.model_validate(
            {name: getattr(paper, name) for name in texts}
            | {name: list(getattr(paper, name)) for name in lists}
            | {name: web_link(getattr(paper, name)) or None for name in links}
        )


class SightingOut(ApiModel):
    """A mention of the paper by a source."""

    source: str
    day: date
    seen_at: datetime
    counts: Counts

    @classmethod
    def of(cls, row: StoredSighting) -> Self:
        """Convert `row`."""
        return cls(source=row.source, day=row.day, seen_at=row.seen_at, counts=Counts.of(row.signals))


class EditionName(ApiModel):
    """The key of an edition."""

    digest: str
    slot: str


class SummaryOut(ApiModel):
    """What a language model wrote about the paper: plain text, in the language of an IETF tag."""

    language: str
    sentence: str
    points: list[str]

    @classmethod
    def of(cls, summary: PaperSummary) -> Self:
        """Convert `summary`."""
        return cls(language=summary.language, sentence=summary.sentence, points=list(summary.points))


class RecordOut(ApiModel):
    """What an index of the literature, such as `openalex`, knows about the paper; null if it does not know it."""

    index: str
    citations: int | None
    venue: str | None
    url: str | None
    read_at: datetime | None

    @classmethod
    def of(cls, record: IndexRecord) -> Self:
        """Convert `record`."""
        return cls(
            index=record.source,
            citations=record.citations,
            venue=record.venue,
            url=web_link(record.url) or None,
            read_at=record.read_at,
        )


class PaperDetail(ApiModel):
    """A paper with its mentions, the editions that contained it, oldest first, and what others say about it."""

    paper: PaperOut
    sightings: list[SightingOut]
    editions: list[EditionName]
    summaries: list[SummaryOut]
    records: list[RecordOut]


class Papers(ApiModel):
    """Papers, newest first. `next` is the URL of the next page, null on the last one."""

    items: list[PaperOut]
    next: str | None


class SearchResultOut(ApiModel):
    """A search result."""

    paper: PaperOut
    first_seen_on: date

    @classmethod
    def of(cls, hit: Hit) -> Self:
        """Convert `hit`."""
        return cls(paper=PaperOut.of(hit.paper), first_seen_on=hit.first_seen_on)


class SearchResults(ApiModel):
    """Matching papers, best first. Only the newest 2,000 matches are counted and ranked."""

    items: list[SearchResultOut]
    total: int
    next: str | None


class EditionSummary(ApiModel):
    """An edition in a list."""

    digest: str
    slot: str
    day: date
    composed_at: datetime
    papers: int

    @classmethod
    def of(cls, line: EditionLine) -> Self:
        """Convert `line`."""
        return cls(digest=line.digest, slot=line.slot, day=line.day, composed_at=line.composed_at, papers=line.papers)


class Editions(ApiModel):
    """Editions, newest first. `next` is the URL of the next page, null on the last one."""

    items: list[EditionSummary]
    next: str | None


class EntryOut(ApiModel):
    """A paper in an edition, with its data at that time."""

    rank: int
    score: float
    counts: Counts
    keywords: list[str]
    paper: PaperOut

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Convert `entry`."""
        return cls(
            rank=entry.rank,
            score=entry.score.total,
            counts=Counts.of(entry.signals),
            keywords=list(entry.match.keywords) if entry.match else [],
            paper=PaperOut.of(entry.paper),
        )


class SectionOut(ApiModel):
    """The papers of a topic. `topic` is null for papers that match no topic."""

    topic: str | None
    more: int
    entries: list[EntryOut]


class EditionOut(ApiModel):
    """An edition as subscribers of all topics receive it."""

    digest: str
    slot: str
    day: date
    title: str
    byline: str
    composed_at: datetime
    sections: list[SectionOut]

    @classmethod
    def of(cls, edition: Edition) -> Self:
        """Convert `edition`."""
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
                for section in for_all_topics(edition)
            ],
        )


class DigestOut(ApiModel):
    """A digest and its topics."""

    name: str
    title: str
    byline: str
    topics: list[str]


class Digests(ApiModel):
    """All digests."""

    items: list[DigestOut]


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
