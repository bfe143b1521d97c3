"""The entries of RSS, Atom, RDF and JSON feeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from digestmail.sources.documents import (
    Document,
    name_entry,
    names_of,
    parse_document,
    plain_texts_of,
    plain_title_of,
    terms_of,
    text_of,
    time_of,
)
from digestmail.sources.jsonfeed import looks_like_json, parse_json_feed
from digestmail.sources.mentions import FeedEntry, best_text, sightings_of
from digestmail.sources.parsed import Parsed, gather, web_address

_RELATIONS = ("alternate", "related", "via", "enclosure")


def parse_feed(body: bytes, *, source: str, now: datetime, url: str = "", content_type: str = "") -> Parsed:
    """Parse a feed fetched from `url` (relative links are relative to it) with this Content-Type.

    Raises SourceUnreadableError when it is no feed.
    """
    if looks_like_json(body, content_type):
        return parse_json_feed(body, source=source, now=now, url=url, content_type=content_type)
    document = parse_document(body, content_type, url)
    entries = [_mention(entry, position, document) for position, entry in enumerate(document.entries, 1)]
    results = sightings_of(entries, source=source, now=now)
    # A feed that is not well-formed from its first day to its last is a feed all the same; only a lost end is news.
    return gather(
        [*results, *document.skipped, *document.half_entry], partial="the feed is cut off" if document.cut else None
    )


def _mention(entry: Mapping[str, Any], position: int, document: Document) -> FeedEntry:
    raw_title, title = plain_title_of(entry, document.dialect)
    raw_abstract, abstract = best_text(plain_texts_of(entry, document.dialect), title)
    guid = document.name(text_of(entry, "id"))
    link, related = _links(entry, guid, document)
    return FeedEntry(
        name=name_entry(entry, position),
        title=title,
        raw_title=raw_title,
        abstract=abstract,
        raw_abstract=raw_abstract,
        link=link,
        related=related,
        guid=guid,
        identifier=text_of(entry, "prism_doi") or text_of(entry, "dc_identifier"),
        authors=names_of(entry),
        terms=terms_of(entry),
        # RDF (dc:date) and old Atom have but the one date.
        published_at=time_of(entry, "published", "created", "updated"),
    )


def _links(entry: Mapping[str, Any], guid: str, document: Document) -> tuple[str | None, tuple[str, ...]]:
    """Return where an entry can be read, and what else it names.

    What FeedBurner counted clicks for comes before its own address, that of the page before what it writes about or
    carries along (RFC 4287 section 4.2.7.2).
    """
    # `<guid>42</guid>` is called a permalink by default only.
    given = "" if entry.get("guidislink") and not urlsplit(guid).scheme else text_of(entry, "link")
    others = [link for link in entry.get("links") or () if isinstance(link, Mapping)]
    by_relation = {relation: _first(others, relation, document) for relation in _RELATIONS}
    in_order = (by_relation["alternate"], web_address(document.address(given), document.url))
    link = (
        web_address(text_of(entry, "feedburner_origlink"), document.url)
        # Of several alternates in Atom, feedparser takes the last: that of the sound, in feeds without relations.
        or next(filter(None, in_order if document.dialect.startswith("atom") else reversed(in_order)), None)
        or web_address(guid)
        or by_relation["related"]
        or by_relation["via"]
        or by_relation["enclosure"]
    )
    return link, tuple(filter(None, (by_relation["related"], by_relation["via"])))


def _first(links: Sequence[Mapping[str, Any]], relation: str, document: Document) -> str | None:
    given = (text_of(link, "href") for link in links if link.get("rel") == relation)
    return next(filter(None, (web_address(document.address(href), document.url) for href in given)), None)
