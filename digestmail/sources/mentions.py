"""An entry of somebody's feed, whatever its format, and which paper it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from digestmail.model.papers import Origin, Paper, PaperId, Sighting, Skipped
from digestmail.papers.identity import find_arxiv_id, find_doi, guid_id, identify
from digestmail.sources.arxiv import ANNOUNCEMENT, arxiv_categories
from digestmail.sources.authors import split_names
from digestmail.sources.bounds import shortened
from digestmail.sources.parsed import storable
from digestmail.text.tex import readable
from digestmail.text.truncate import at_sentence

_SEARCHED = 100_000
# A teaser ends so; the text itself often follows under `content`.
_CUT = re.compile(
    r"(?:…|\.\.\.|\[(?:…|\.\.\.|&#8230;)\]|\b(?:read|continue|see) (?:more|on|reading|full \w+)\W*)$", re.IGNORECASE
)
_SAYS_NOTHING = re.compile(
    r"\W*(?:comments?|read more|link|continue reading|untitled|view \w+|https?://\S+|"
    r"no (?:content|description|abstract)(?: available| provided)?)?\W*",
    re.IGNORECASE,
)
# Notes of a release cite papers, and the release is none of them.
_RELEASE = re.compile(r"https?://(?:www\.)?(?:github|gitlab)\.com/.{1,200}/(?:releases|tags)/", re.IGNORECASE)
_COMPARED = 40
_LONGEST_TITLE = 120
_LONGEST_RAW_TITLE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One entry, as plain text; `raw_*` is what stood in the feed."""

    name: str
    """What an operator finds it by."""
    title: str
    raw_title: str
    abstract: str = ""
    raw_abstract: str = ""
    link: str | None = None
    """An http or https address."""
    guid: str = ""
    related: Sequence[str] = ()
    """Other addresses that may name the paper: what a link blog writes about, what stands behind a tracking link."""
    identifier: str = ""
    """What the feed says the DOI is (`dc:identifier`, `prism:doi`)."""
    authors: Sequence[str] = ()
    terms: Sequence[str] = ()
    published_at: datetime | None = None


def best_text(texts: Sequence[tuple[str, str]], title: str) -> tuple[str, str]:
    """Return the first of `texts`, pairs of raw and plain, that says something; a longer one of the same beginning.

    A summary that repeats the title or is only a link ("Comments") says nothing; one that ends with "…" or "Read
    more" is continued by the content.
    """
    known = _normal(title)
    telling = [pair for pair in texts if not _SAYS_NOTHING.fullmatch(pair[1]) and _normal(pair[1]) != known]
    if not telling:
        return ("", "")
    first, *others = telling
    if _CUT.search(first[1].rstrip()):
        start = _normal(_CUT.sub("", first[1].rstrip()))[:_COMPARED].rstrip(" […")
        return next((pair for pair in others if start in _normal(pair[1]) and len(pair[1]) > len(first[1])), first)
    return first


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()


def sightings_of(entries: Sequence[FeedEntry], *, source: str, now: datetime) -> list[Sighting | Skipped]:
    """Return for each entry of one feed the paper it mentions, or why it mentions none.

    Entries with a GUID each are papers each, even if their links are the same or differ in the fragment only. Without
    a date a paper was first seen `now`.
    """
    links = _shared(entries, lambda entry: identify(link=entry.link), _mark)
    guids = _shared(entries, lambda entry: entry.guid, lambda entry: (identify(link=entry.link), _normal(entry.title)))
    results = []
    for entry in entries:
        # A GUID that stands in every entry is no GUID; a fragment can stand for one.
        guid = "" if entry.guid in guids else entry.guid or _mark(entry)
        link_shared = identify(link=entry.link) in links and bool(guid)
        results.append(_sighting(entry, guid, link_shared=link_shared, source=source, now=now))
    return results


def _shared(
    entries: Iterable[FeedEntry], key: Callable[[FeedEntry], object], mark: Callable[[FeedEntry], object]
) -> set[object]:
    """Return the keys, but for empty ones, under which entries with different marks stand."""
    marks: dict[object, set[object]] = {}
    for entry in entries:
        marks.setdefault(key(entry), set()).add(mark(entry))
    return {name for name, under in marks.items() if name and len(under) > 1}


def _mark(entry: FeedEntry) -> str:
    """Return what tells an entry from others under its link: its GUID, else link and title if it has a fragment."""
    if entry.guid:
        return guid_id("", entry.guid) or ""
    return f"{entry.link} {_normal(entry.title)}" if "#" in (entry.link or "") else ""


def _sighting(entry: FeedEntry, guid: str, *, link_shared: bool, source: str, now: datetime) -> Sighting | Skipped:
    abstract = readable(_without_announcement(entry.abstract))
    title = readable(shortened(entry.title, _LONGEST_RAW_TITLE)) or at_sentence(abstract, _LONGEST_TITLE)
    if not title:
        return Skipped(entry=entry.name, reason="no title")
    identity = _identify(entry, guid_id(source, guid), link_shared=link_shared)
    if identity is None:
        return Skipped(entry=entry.name, reason="no link and no identifier")
    paper_id, aliases = identity
    # A date in the future is a slip, and would keep the entry "recent" until then.
    published_at = entry.published_at if entry.published_at and entry.published_at <= now else None
    paper = Paper(
        id=paper_id,
        aliases=aliases,
        title=title,
        raw_title=storable(entry.raw_title),
        abstract=abstract,
        raw_abstract=storable(entry.raw_abstract),
        origin=Origin.FEED,
        link=entry.link or _home_of(paper_id),
        authors=split_names(entry.authors),
        categories=arxiv_categories(entry.terms),
        # A feed's date of an arXiv paper tells when somebody mentioned it; arXiv itself knows when it came out.
        published_at=None if paper_id.startswith("arxiv:") else published_at,
    )
    return Sighting(source=source, paper=paper, day=(published_at or now).date())


def _without_announcement(abstract: str) -> str:
    announcement = ANNOUNCEMENT.match(abstract)
    return abstract[announcement.end() :] if announcement else abstract


def _identify(
    entry: FeedEntry, guid: PaperId | None, *, link_shared: bool
) -> tuple[PaperId, tuple[PaperId, ...]] | None:
    for places in ((entry.link or "", entry.guid), entry.related):
        arxiv_id = next((found for place in places if (found := find_arxiv_id(place))), None)
        doi = next((found for place in (entry.identifier, *places) if (found := find_doi(place))), None)
        if arxiv_id or doi:
            own = places is not entry.related and not link_shared
            return identify(arxiv=arxiv_id, doi=doi, link=entry.link if own else None)
    text = "" if _RELEASE.match(entry.link or "") else f"{entry.raw_title}\n{entry.raw_abstract}"[:_SEARCHED]
    arxiv_id = _only_one(find_arxiv_id, text)
    doi = _only_one(find_doi, text) if find_arxiv_id(text) is None else None
    if arxiv_id or doi:
        # The link is of the page that talks about the paper, perhaps one page for many: no other name of the paper.
        return identify(arxiv=arxiv_id, doi=doi)
    by_link = identify(link=entry.link)
    if by_link is None or guid is None:
        return by_link
    return (guid, ()) if link_shared else (by_link[0], tuple(sorted((*by_link[1], guid))))


def _only_one(find: Callable[[str], str | None], text: str) -> str | None:
    """Return what `find` finds, unless there is another one: who cites several papers is about none of them."""
    first = find(text)
    if first is None:
        return None
    rest = re.sub(re.escape(first), " ", text, flags=re.IGNORECASE)
    return first if find(rest) in (None, first) else None


def _home_of(paper_id: PaperId) -> str:
    kind, _, name = paper_id.partition(":")
    return {"arxiv": f"https://arxiv.org/abs/{name}", "doi": f"https://doi.org/{name}"}.get(kind, name)
