"""The papers in the feeds of rss.arxiv.org: RSS 2.0 or Atom, and the RDF of old captures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from digestmail.errors import SourceRefusedError
from digestmail.model.papers import AnnounceType, Sighting, Signals, Skipped
from digestmail.papers.identity import find_arxiv_id
from digestmail.sources.arxiv import ANNOUNCEMENT, arxiv_categories, arxiv_paper
from digestmail.sources.authors import split_authors
from digestmail.sources.documents import Document, name_entry, names_of, parse_document, terms_of, text_of, time_of
from digestmail.sources.parsed import Parsed, gather, single_line
from digestmail.sources.plaintext import plain_text_of_double_escaped
from digestmail.sources.strict import parse_strictly

ROW_LIMIT = 2_000
"""Rows after which arXiv cuts a feed, the new papers first."""

_EASTERN = ZoneInfo("America/New_York")
_OLD_TITLE = re.compile(
    r"\.? ?\(arXiv:(?P<id>[^\s()\[\]]+) ?(?:\[(?P<category>[^\s()\[\]]+)\])? ?(?P<why>UPDATED|CROSS LISTED)?\)$"
)
_OLD_WORDS = {"": "new", "UPDATED": "replace", "CROSS LISTED": "cross"}


def parse_arxiv_feed(body: bytes, *, source: str, wanted: Iterable[AnnounceType], now: datetime) -> Parsed:
    """Parse a feed of rss.arxiv.org; papers announced for another reason than `wanted` are skipped with it.

    Raises SourceRefusedError with arXiv's words when the feed is one of its error messages, SourceUnreadableError
    when it is no feed.
    """
    document = parse_strictly(body) or parse_document(body)
    title = single_line(text_of(document.feed, "title"))
    if title.lower().startswith("feed error"):
        detail = single_line(text_of(document.feed, "subtitle"))
        raise SourceRefusedError(f"arXiv says: {title}{f' ({detail})' if detail else ''}")
    today = now.astimezone(_EASTERN).date()
    kinds = frozenset(wanted)
    results: list[Sighting | Skipped] = [
        _sighting(entry, position, source, kinds, today) for position, entry in enumerate(document.entries, 1)
    ]
    return gather([*results, *document.skipped, *document.half_entry], partial=_partial(document))


def _partial(document: Document) -> str | None:
    if document.cut:
        return "the feed is cut off"
    if document.malformed:
        return f"the feed is not well-formed: {document.malformed}"
    if len(document.entries) >= ROW_LIMIT:
        return f"arXiv cuts a feed at {ROW_LIMIT:,} rows, new papers first: ask for fewer categories"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What a feed says about one paper, in today's form."""

    ids: tuple[str, ...]
    """Where the arXiv id may stand, likeliest first."""
    announced: str
    title: str
    abstract: str
    authors: str
    primary: str = ""


def _sighting(
    entry: Mapping[str, Any], position: int, source: str, wanted: frozenset[AnnounceType], today: date
) -> Sighting | Skipped:
    name = name_entry(entry, position)
    row = _row(entry)
    arxiv_id = next((found for text in row.ids if (found := find_arxiv_id(text))), None)
    if arxiv_id is None:
        return Skipped(entry=name, reason="no arXiv id")
    if row.announced not in set(AnnounceType):
        return Skipped(entry=name, reason="unknown announce type")
    announce_type = AnnounceType(row.announced)
    if announce_type not in wanted:
        return Skipped(entry=name, reason=f"announce type {announce_type} is left out")
    announced_at = time_of(entry, "published")
    paper = arxiv_paper(
        arxiv_id=arxiv_id,
        title=row.title,
        abstract=row.abstract,
        authors=split_authors(row.authors),
        categories=arxiv_categories(terms_of(entry), primary=row.primary),
        doi=text_of(entry, "arxiv_doi"),
        # The other types tell when a paper was announced again, not when it came out.
        published_at=announced_at if announce_type is AnnounceType.NEW else None,
    )
    if paper is None:
        return Skipped(entry=name, reason="no title")
    day = announced_at.astimezone(_EASTERN).date() if announced_at else today
    return Sighting(source=source, paper=paper, day=day, signals=Signals(announce_type=announce_type))


def _row(entry: Mapping[str, Any]) -> _Row:
    title, summary = text_of(entry, "title"), text_of(entry, "summary")
    old_title = _OLD_TITLE.search(single_line(title))
    if old_title:
        return _old_row(entry, old_title, summary)
    prefix = ANNOUNCEMENT.match(summary)
    ids = (text_of(entry, "id"), text_of(entry, "link"))
    return _Row(
        ids=(*ids, f"arXiv:{prefix['id']}") if prefix else ids,
        announced=text_of(entry, "arxiv_announce_type").strip() or (prefix["type"] if prefix else AnnounceType.NEW),
        title=title,
        # Plain text with TeX in it: "a < b" and "<think>" stand for themselves.
        abstract=summary[prefix.end() :] if prefix else summary,
        authors=", ".join(names_of(entry)),
    )


def _old_row(entry: Mapping[str, Any], old_title: re.Match[str], summary: str) -> _Row:
    """Read an item of the RDF feeds before 2024: the title says it all, the rest is HTML escaped twice."""
    return _Row(
        ids=(text_of(entry, "link"), text_of(entry, "id"), f"arXiv:{old_title['id']}"),
        announced=_OLD_WORDS[old_title["why"] or ""],
        title=old_title.string[: old_title.start()],
        abstract=plain_text_of_double_escaped(summary),
        authors=plain_text_of_double_escaped(", ".join(names_of(entry))),
        primary=old_title["category"] or "",
    )
