"""Feeds of what a digest published: Atom (RFC 4287) and JSON Feed 1.1, per digest, topic and search."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree as ET

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from digestmail.editions import archive
from digestmail.mail.placeholders import single_line
from digestmail.model.editions import Edition
from digestmail.model.selection import Section
from digestmail.selection.segments import for_segment
from digestmail.web.cache import Sharing, cache_headers, share
from digestmail.web.filters import long_day, paper_path
from digestmail.web.pages import absolute, pages_of
from digestmail.web.query_params import app_of, asked_text, digest_of
from digestmail.web.search_page import Limited, asked_query, query_string

router = APIRouter(include_in_schema=False)
_EDITIONS: Final = 20
_HITS: Final = 30
_ATOM: Final = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An entry of a feed: its address is its identity; `html` is inert, made by a template."""

    link: str
    title: str
    html: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SyndicationFeed:
    """A feed: `own` is its address without the ending, `home` the page it belongs to."""

    title: str
    own: str
    query: str
    home: str
    author: str
    items: tuple[Item, ...]


@router.get("/search.atom", dependencies=[Limited])
def search_atom(request: Request) -> Response:
    """Return a search as Atom."""
    return _atom(request, _search_feed(request))


@router.get("/search.json", dependencies=[Limited])
def search_json(request: Request) -> Response:
    """Return a search as JSON Feed."""
    return _json(request, _search_feed(request))


@router.get("/{name}/feed.atom")
def digest_atom(request: Request, name: str) -> Response:
    """Return a digest, or one of its topics, as Atom."""
    return _atom(request, _digest_feed(request, name))


@router.get("/{name}/feed.json")
def digest_json(request: Request, name: str) -> Response:
    """Return a digest, or one of its topics, as JSON Feed."""
    return _json(request, _digest_feed(request, name))


def _digest_feed(request: Request, name: str) -> SyndicationFeed:
    digest, topic = digest_of(request, name), asked_text(request, "topic")
    found = archive.editions_with_papers(app_of(request).database, name, limit=_EDITIONS)
    kept = [(edition, for_segment(edition, (topic,) if topic else (), ())) for _, edition in found]
    share(request, Sharing.KEPT)
    return SyndicationFeed(
        title=f"{digest.title}: {topic}" if topic else digest.title,
        own=absolute(request, f"/{name}/feed"),
        query=request.url.query,
        home=absolute(request, f"/{name}"),
        author=digest.byline or digest.title,
        items=tuple(_edition_item(request, edition, sections) for edition, sections in kept if sections),
    )


def _edition_item(request: Request, edition: Edition, sections: tuple[Section, ...]) -> Item:
    return Item(
        link=absolute(request, f"/{edition.digest}/{edition.slot.key}"),
        title=f"{edition.title}, {long_day(edition.slot.day)}",
        html=pages_of(request).fill_in(request, "feed-edition.html", sections=sections),
        at=edition.composed_at,
    )


def _search_feed(request: Request) -> SyndicationFeed:
    query = asked_query(request)
    found = archive.find_papers(app_of(request).database, query, limit=_HITS)
    share(request, Sharing.TAGGED)
    return SyndicationFeed(
        title=f"Search: {query.text or 'newest papers'}",
        own=absolute(request, "/search"),
        query=request.url.query,
        home=absolute(request, f"/search?{query_string(request)}"),
        author=app_of(request).digests[0].title,
        items=tuple(
            Item(
                link=absolute(request, paper_path(hit.paper.id)),
                title=single_line(hit.paper.title) or "Untitled",
                html=pages_of(request).fill_in(request, "feed-paper.html", paper=hit.paper),
                at=datetime.combine(hit.first_seen_on, datetime.min.time(), UTC),
            )
            for hit in found.hits
        ),
    )


def _atom(request: Request, feed: SyndicationFeed) -> Response:
    root = ET.Element("feed", xmlns=_ATOM)
    own = f"{feed.own}.atom" + (f"?{feed.query}" if feed.query else "")
    newest = max((item.at for item in feed.items), default=app_of(request).clock.now().replace(hour=0, minute=0))
    _put(root, "id", own)
    _put(root, "title", single_line(feed.title))
    _put(root, "updated", _time(newest))
    _put(root, "link", rel="self", href=own, type="application/atom+xml")
    _put(root, "link", rel="alternate", href=feed.home, type="text/html")
    _put(_put(root, "author"), "name", single_line(feed.author))
    for item in feed.items:
        entry = _put(root, "entry")
        _put(entry, "id", item.link)
        _put(entry, "title", single_line(item.title))
        _put(entry, "updated", _time(item.at))
        _put(entry, "link", rel="alternate", href=item.link, type="text/html")
        # Controls are no characters of XML; line ends mean nothing in HTML.
        _put(entry, "content", single_line(item.html), type="html")
    body = b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="utf-8")
    return Response(body, media_type="application/atom+xml", headers=cache_headers(request))


def _put(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, name, attributes)
    child.text = text
    return child


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _json(request: Request, feed: SyndicationFeed) -> Response:
    content: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": single_line(feed.title),
        "home_page_url": feed.home,
        "feed_url": f"{feed.own}.json" + (f"?{feed.query}" if feed.query else ""),
        "authors": [{"name": single_line(feed.author)}],
        "items": [
            {
                "id": item.link,
                "url": item.link,
                "title": single_line(item.title),
                "content_html": single_line(item.html),
                "date_published": _time(item.at),
            }
            for item in feed.items
        ],
    }
    return JSONResponse(content, media_type="application/feed+json", headers=cache_headers(request))
