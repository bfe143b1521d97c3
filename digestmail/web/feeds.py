"""Feeds of what a digest published and of one of its topics, in its language; and of a search, in English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from digestmail.editions import archive
from digestmail.mail.placeholders import single_line
from digestmail.model.digests import Digest
from digestmail.model.editions import Edition
from digestmail.model.papers import Paper
from digestmail.model.search import Query, SeenPaper
from digestmail.model.selection import Section
from digestmail.selection.segments import for_segment
from digestmail.text.paths import paper_path
from digestmail.web.cache import Sharing, cache_headers, share
from digestmail.web.filters import site
from digestmail.web.pages import absolute, pages_of
from digestmail.web.query_params import app_of, asked_topic, digest_of
from digestmail.web.search_page import Limited, asked_query, query_string
from digestmail.web.syndication import ATOM_TYPE, JSON_TYPE, Item, SyndicationFeed, atom, author_of, json_feed, tag_uri

router = APIRouter(include_in_schema=False)
_EDITIONS: Final = 20
_FEWEST_MATCHES, _MOST_MATCHES = 30, 500
_MATCH_DAYS: Final = 7
_AUTHORS: Final = 20


@router.get("/search.atom", dependencies=[Limited])
def search_atom(request: Request) -> Response:
    """Return a search as Atom."""
    return as_atom(request, _search_feed(request))


@router.get("/search.json", dependencies=[Limited])
def search_json(request: Request) -> Response:
    """Return a search as JSON Feed."""
    return as_json(request, _search_feed(request))


@router.get("/{name}/feed.atom")
def digest_atom(request: Request, name: str) -> Response:
    """Return a digest, or one of its topics, as Atom."""
    return as_atom(request, _digest_feed(request, name))


@router.get("/{name}/feed.json")
def digest_json(request: Request, name: str) -> Response:
    """Return a digest, or one of its topics, as JSON Feed."""
    return as_json(request, _digest_feed(request, name))


def recent(matches: Sequence[SeenPaper]) -> Sequence[SeenPaper]:
    """Return the matches that a feed shows, of all of them, newest first. Pure.

    All of the last seven days: a day can bring more matches than any fixed number, and who reads the feed once a day
    must get every one. In quiet times at least 30.
    """
    if not matches:
        return matches
    begin = matches[0].first_seen_at - timedelta(days=_MATCH_DAYS)
    fresh = sum(match.first_seen_at >= begin for match in matches)
    return matches[: max(fresh, _FEWEST_MATCHES)]


def _digest_feed(request: Request, name: str) -> SyndicationFeed:
    digest, topic = digest_of(request, name), asked_topic(request) or ""
    found = archive.editions_with_papers(app_of(request).database, name, limit=_EDITIONS)
    if topic and not _has_topic(digest, [edition for _, edition in found], topic):
        raise HTTPException(404, "there is no such topic")
    kept = [(edition, for_segment(edition, (topic,) if topic else (), ())) for _, edition in found]
    query = urlencode({"topic": topic}) if topic else ""
    identity = (name, "topic", topic) if topic else (name,)
    language = digest.look.language
    long_day = pages_of(request).environment(language).filters["long_day"]
    share(request, Sharing.KEPT, "topic")
    return SyndicationFeed(
        id=tag_uri(absolute(request, ""), *identity),
        title=f"{digest.title}: {topic}" if topic else digest.title,
        subtitle=digest.byline,
        own=absolute(request, f"/{name}/feed"),
        query=query,
        home=absolute(request, f"/{name}"),
        author=author_of(digest.byline, language, digest.title),
        updated_at=_today(request),
        items=tuple(
            Item(
                id=tag_uri(absolute(request, ""), *identity, edition.slot.key),
                link=absolute(request, f"/{name}/{edition.slot.key}") + (f"?{query}" if query else ""),
                title=f"{edition.title}, {long_day(edition.slot.day)}",
                html=_edition_html(request, sections, language),
                authors=(author_of(edition.byline, language, edition.title),),
                published_at=edition.composed_at,
            )
            for edition, sections in kept
            if sections
        ),
    )


def _has_topic(digest: Digest, found: Sequence[Edition], topic: str) -> bool:
    """Return whether `topic` is one of the digest's, or was one of its last editions'."""
    return any(topic == one.name for one in digest.topics) or any(topic in edition.topics for edition in found)


def _edition_html(request: Request, sections: tuple[Section, ...], language: str) -> str:
    return pages_of(request).fill_in(request, "feed-edition.html", language=language, sections=sections)


def _search_feed(request: Request) -> SyndicationFeed:
    query, asked = asked_query(request), query_string(request)
    found = recent(archive.newest_matches(app_of(request).database, query, limit=_MOST_MATCHES))
    author = app_of(request).digests[0].title
    share(request, Sharing.TAGGED)
    return SyndicationFeed(
        id=tag_uri(absolute(request, ""), "search", asked),
        title=f"Search: {_words(query)}",
        subtitle="",
        own=absolute(request, "/search"),
        query=asked,
        home=absolute(request, "/search") + (f"?{asked}" if asked else ""),
        author=author,
        updated_at=_today(request),
        items=tuple(
            Item(
                id=tag_uri(absolute(request, ""), "search", asked, match.paper.id),
                link=absolute(request, paper_path(match.paper.id)),
                title=single_line(match.paper.title) or "Untitled",
                html=pages_of(request).fill_in(request, "feed-paper.html", paper=match.paper),
                authors=_paper_authors(match.paper) or (author,),
                published_at=match.first_seen_at,
            )
            for match in found
        ),
    )


def _words(query: Query) -> str:
    return ", ".join(filter(None, (query.text, query.topic, query.source))) or "newest papers"


def _paper_authors(paper: Paper) -> tuple[str, ...]:
    """Return whom to name as authors of a paper: at most 20, else its organization, else the site it is on."""
    names = tuple(filter(None, map(single_line, paper.authors)))[:_AUTHORS]
    return names or tuple(filter(None, (single_line(paper.organization or ""), site(paper.link))))[:1]


def _today(request: Request) -> datetime:
    """Return when today began: an empty feed changes once a day, so that conditional requests are answered with 304."""
    return app_of(request).clock.now().replace(hour=0, minute=0, second=0, microsecond=0)


def as_atom(request: Request, feed: SyndicationFeed, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    """Return a feed as Atom, with the cache headers of the request and `headers`."""
    return Response(atom(feed), media_type=ATOM_TYPE, headers={**cache_headers(request), **headers})


def as_json(request: Request, feed: SyndicationFeed, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    """Return a feed as JSON Feed, with the cache headers of the request and `headers`."""
    return JSONResponse(json_feed(feed), media_type=JSON_TYPE, headers={**cache_headers(request), **headers})
