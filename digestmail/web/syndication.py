"""Feeds as Atom (RFC 4287) and JSON Feed 1.1. Pure: values in, a document out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from digestmail.mail.placeholders import single_line

ATOM_TYPE: Final = "application/atom+xml"
JSON_TYPE: Final = "application/feed+json"
_ATOM: Final = "http://www.w3.org/2005/Atom"
_TAG_DATE: Final = "2026"
"""A tag URI names a date on which its domain belonged to whoever made it (RFC 4151 section 2.1). It never changes."""
_BY: Final = {"en": "by", "de": "von", "fr": "par", "he": "מאת"}
"""The word before an author's name, by language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An entry of a feed. `id` is its identity in this feed; `html` is inert, made by a template."""

    id: str
    link: str
    title: str
    html: str
    authors: tuple[str, ...]
    """At least one: some readers ignore the author of the feed."""
    published_at: datetime
    """When it came into the feed. Nothing changes it afterwards, so it is also the time of the last update."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyndicationFeed:
    """A feed: `own` is its address without the ending, `home` the page it belongs to."""

    id: str
    title: str
    subtitle: str
    own: str
    query: str
    """The parameters that identify the feed, in one order."""
    home: str
    author: str
    updated_at: datetime
    """Used if there are no items."""
    items: tuple[Item, ...]


def tag_uri(base: str, *names: str) -> str:
    """Return the tag URI (RFC 4151) of what `names` lead to at the site `base`.

    It is an identity and not an address: it stays when the site moves from http to https.
    """
    parts = urlsplit(base)
    host = (parts.hostname or "localhost").encode("idna").decode() if parts.hostname else "localhost"
    authority = host.replace(":", "-")  # an IPv6 address is no authority of a tag
    place = [str(parts.port)] if parts.port else []
    place += [name for name in parts.path.split("/") if name]
    return f"tag:{authority},{_TAG_DATE}:{'/'.join(quote(name, safe='') for name in (*place, *names))}"


def author_of(byline: str, language: str, title: str) -> str:
    """Return who writes a digest: what its byline names after "by", else its title; a byline may be any sentence."""
    word = _BY.get(language.partition("-")[0].lower(), "by")
    found = re.fullmatch(rf"(?:by|{word})[\s:]+(\S.*)", single_line(byline), re.IGNORECASE)
    return found[1] if found else single_line(title)


def atom(feed: SyndicationFeed) -> bytes:
    """Return `feed` as an Atom document in UTF-8."""
    root = ET.Element("feed", xmlns=_ATOM)
    _put(root, "id", feed.id)
    _put(root, "title", single_line(feed.title))
    if feed.subtitle:
        _put(root, "subtitle", single_line(feed.subtitle))
    _put(root, "updated", _time(_updated(feed)))
    _put(root, "link", rel="self", href=_address(feed, "atom"), type=ATOM_TYPE)
    _put(root, "link", rel="alternate", href=feed.home, type="text/html")
    _put(_put(root, "author"), "name", single_line(feed.author))
    for item in feed.items:
        entry = _put(root, "entry")
        _put(entry, "id", item.id)
        _put(entry, "title", single_line(item.title))
        for name in item.authors:
            _put(_put(entry, "author"), "name", single_line(name))
        _put(entry, "published", _time(item.published_at))
        _put(entry, "updated", _time(item.published_at))
        _put(entry, "link", rel="alternate", href=item.link, type="text/html")
        # Controls are no characters of XML; line ends mean nothing in HTML.
        _put(entry, "content", single_line(item.html), type="html")
    document: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + document


def json_feed(feed: SyndicationFeed) -> dict[str, Any]:
    """Return `feed` as a JSON Feed."""
    content: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": single_line(feed.title),
        "home_page_url": feed.home,
        "feed_url": _address(feed, "json"),
        "authors": [{"name": single_line(feed.author)}],
        "items": [
            {
                "id": item.id,
                "url": item.link,
                "title": single_line(item.title),
                "content_html": single_line(item.html),
                "date_published": _time(item.published_at),
                "authors": [{"name": single_line(name)} for name in item.authors],
            }
            for item in feed.items
        ],
    }
    return content | ({"description": single_line(feed.subtitle)} if feed.subtitle else {})


def _updated(feed: SyndicationFeed) -> datetime:
    return max((item.published_at for item in feed.items), default=feed.updated_at)


def _address(feed: SyndicationFeed, ending: str) -> str:
    return f"{feed.own}.{ending}" + (f"?{feed.query}" if feed.query else "")


def _put(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, name, attributes)
    child.text = text
    return child


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
