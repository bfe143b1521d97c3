"""Any RSS, Atom, RDF or JSON feed: blogs, journals, other people's lists of papers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from digestmail.model.papers import Reading
from digestmail.sources.base import Fetcher
from digestmail.sources.documents import is_markup, name_entry, names_of, parse_document, terms_of, text_of, time_of
from digestmail.sources.jsonfeed import looks_like_json, parse_json_feed
from digestmail.sources.mentions import FeedEntry, sighting_of
from digestmail.sources.parsed import Parsed, gather, web_address
from digestmail.sources.plaintext import plain_text, plain_text_of_double_escaped, shorten

_ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"


class Feed:
    """A feed of which nothing is known but its address."""

    def __init__(self, *, name: str, fetcher: Fetcher, url: str) -> None:
        """Read the feed at `url`."""
        self.name = name
        self._fetcher = fetcher
        self._url = url

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read what the feed shows now; `since` makes no difference. Raises SourceError."""
        del since
        answer = self._fetcher.fetch(self._url, accept=_ACCEPT, retry_empty=True)
        validators = {answer.url: answer.validators}
        if answer.body is None:
            return Reading(source=self.name, entries=0, unchanged=True, validators=validators)
        parsed = parse_feed(answer.body, source=self.name, now=now, url=self._url, content_type=answer.content_type)
        return Reading(
            source=self.name,
            entries=parsed.entries,
            sightings=parsed.sightings,
            skipped=parsed.skipped,
            partial=parsed.partial,
            # What was cut must be asked for whole next time.
            validators={} if parsed.partial else validators,
        )


def parse_feed(body: bytes, *, source: str, now: datetime, url: str = "", content_type: str = "") -> Parsed:
    """Parse a feed fetched from `url` (relative links are relative to it) with this Content-Type.

    Raises SourceUnreadableError when it is no feed.
    """
    if looks_like_json(body, content_type):
        return parse_json_feed(body, source=source, now=now, url=url)
    document = parse_document(body, content_type)
    results = (
        sighting_of(_mention(entry, position, document.dialect, url), source=source, now=now)
        for position, entry in enumerate(document.entries, 1)
    )
    # A feed that is not well-formed from its first day to its last is a feed all the same; only a lost end is news.
    return gather([*results, *document.half_entry], partial="the feed is cut off" if document.cut else None)


def _mention(entry: Mapping[str, Any], position: int, dialect: str, url: str) -> FeedEntry:
    # Atom says what a text is (RFC 4287 section 3.1.1); in RSS anything may be HTML.
    may_be_html = not dialect.startswith("atom")
    raw_title = text_of(entry, "title")
    raw_abstract, abstract = _abstract(entry, may_be_html=may_be_html)
    guid = text_of(entry, "id")
    return FeedEntry(
        name=name_entry(entry, position),
        title=plain_text(raw_title) if may_be_html or is_markup(entry, "title") else shorten(raw_title),
        raw_title=raw_title,
        abstract=abstract,
        raw_abstract=raw_abstract,
        link=web_address(text_of(entry, "link"), url) or web_address(guid),
        guid=guid,
        identifier=text_of(entry, "prism_doi") or text_of(entry, "dc_identifier"),
        authors=names_of(entry),
        terms=terms_of(entry),
        # RDF (dc:date) and old Atom have but the one date.
        published_at=time_of(entry, "published", "created", "updated"),
    )


def _abstract(entry: Mapping[str, Any], *, may_be_html: bool) -> tuple[str, str]:
    """Return the summary, or else the content, as it stands and as plain text."""
    raw = text_of(entry, "summary")
    markup = may_be_html or is_markup(entry, "summary")
    contents = entry.get("content") or ()
    if not raw.strip() and contents:
        raw = text_of(contents[0], "value")
        markup = may_be_html or contents[0].get("type") != "text/plain"
    return raw, plain_text_of_double_escaped(raw) if markup else shorten(raw)
