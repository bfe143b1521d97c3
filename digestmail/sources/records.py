"""Makes sightings of the records of services that have no feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import quote

from digestmail.model.papers import AnnounceType, Origin, Paper, Sighting, Signals, Skipped
from digestmail.papers.identity import identify
from digestmail.papers.withdrawal import is_withdrawn
from digestmail.sources.parsed import single_line, storable, web_address
from digestmail.text.tex import readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a service says about a paper. Texts may contain TeX, but no HTML."""

    name: str
    """Its name in reports, such as its own ID."""
    title: str
    abstract: str
    authors: tuple[str, ...]
    day: date
    """When the service made it public."""
    published_at: datetime | None = None
    """When the paper first appeared; None if the service does not know."""
    arxiv_id: str | None = None
    doi: str | None = None
    link: str | None = None
    """Where the service shows it."""
    keywords: Sequence[str] = ()
    categories: tuple[str, ...] = ()
    """Those of arXiv."""
    organization: str = ""
    code_url: str | None = None
    announced: AnnounceType | None = None
    withdrawn: bool = False


def sighting_of(record: Record, source: str) -> Sighting | Skipped:
    """Return the sighting of a record, or why there is none. The paper is known by arXiv ID, DOI or link."""
    name = single_line(record.name)[:200] or "a record without a name"
    link = _link(record)
    identity = identify(arxiv=record.arxiv_id, doi=record.doi, link=link)
    title, abstract = readable(record.title), readable(record.abstract)
    if identity is None or link is None:
        return Skipped(entry=name, reason="no DOI and no address")
    if not title:
        return Skipped(entry=name, reason="no title")
    paper = Paper(
        id=identity[0],
        aliases=identity[1],
        title=title,
        raw_title=storable(record.title),
        abstract=abstract,
        raw_abstract=storable(record.abstract),
        origin=Origin.FEED,
        link=link,
        authors=record.authors,
        categories=record.categories,
        keywords=tuple(dict.fromkeys(word for word in map(readable, record.keywords) if word)),
        organization=readable(record.organization) or None,
        published_at=record.published_at,
        code_url=record.code_url,
        withdrawn=record.withdrawn or is_withdrawn(title, abstract, None),
    )
    return Sighting(source=source, paper=paper, day=record.day, signals=Signals(announce_type=record.announced))


def _link(record: Record) -> str | None:
    if record.arxiv_id:
        return f"https://arxiv.org/abs/{record.arxiv_id}"
    return web_address(record.link) or (f"https://doi.org/{quote(record.doi, safe='/')}" if record.doi else None)
