"""The feed behind an address that someone found in a browser: the address itself, or what the page there names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from urllib.parse import urlsplit

from digestmail.errors import SourceUnreadableError
from digestmail.sources.base import Answer, Fetcher
from digestmail.sources.documents import parse_document, text_of
from digestmail.sources.feed import parse_feed
from digestmail.sources.jsonfeed import looks_like_json
from digestmail.sources.parsed import Parsed, single_line, web_address
from digestmail.text.credentials import masked_address

ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, text/html;q=0.8, */*;q=0.5"
_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"})
_HTML = re.compile(rb"<!doctype\s+html|<html[\s>]|<head[\s>]", re.IGNORECASE)
_CHARSET = re.compile(r"charset=[\"']?([A-Za-z0-9._-]{1,40})")
_LOOKED_AT = 500_000
_JSON_TITLE = re.compile(rb'"title"\s*:\s*"((?:[^"\\]|\\.){1,300})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFeed:
    """A feed that a page names (`<link rel="alternate">`, HTML 4.6.7.2)."""

    url: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFeed:
    """A feed that was fetched and can be read."""

    url: str
    title: str
    parsed: Parsed
    others: tuple[NamedFeed, ...] = ()
    """What else the page named."""
    redirected_to: str | None = None


def find_feed(fetcher: Fetcher, url: str, now: datetime, *, elsewhere: Fetcher | None = None) -> FoundFeed:
    """Fetch `url`; if it is a web page, fetch the first feed that it names, comments last. Raises SourceError.

    `elsewhere` fetches a feed at another host than the page's: a stranger's page must not choose among your own hosts.
    """
    answer = fetcher.fetch(url, accept=ACCEPT, conditional=False)
    if not _is_page(answer):
        return _found(answer, now)
    named = feeds_of_page(answer.body or b"", answer.found_at, answer.content_type)
    if not named:
        shown = masked_address(url)
        raise SourceUnreadableError(f"{shown} is a web page, and it names no feed: look for the feed's own address")
    same_host = urlsplit(named[0].url).hostname == urlsplit(answer.found_at).hostname
    chosen = fetcher if same_host or elsewhere is None else elsewhere
    return _found(chosen.fetch(named[0].url, accept=ACCEPT, conditional=False), now, named[1:])


def feeds_of_page(body: bytes, url: str, content_type: str = "") -> tuple[NamedFeed, ...]:
    """Return the feeds that a page names, in its order, those of comments last; `url` is where it was found."""
    declared = _CHARSET.search(content_type)
    try:
        text = body[:_LOOKED_AT].decode(declared[1] if declared else "utf-8", "replace")
    except LookupError:
        text = body[:_LOOKED_AT].decode("utf-8", "replace")
    page = _Page(url)
    page.feed(text)
    feeds = {feed.url: feed for feed in reversed(page.found)}
    ordered = list(reversed(feeds.values()))
    return tuple(sorted(ordered, key=lambda feed: "comment" in f"{feed.url} {feed.title}".lower()))


class _Page(HTMLParser):
    """Collects the links of a page's head."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._base = url
        self.found: list[NamedFeed] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base" and (base := web_address(given.get("href"), self._base)):
            self._base = base
        kind = given.get("type", "").partition(";")[0].strip().lower()
        if tag != "link" or kind not in _TYPES or "alternate" not in given.get("rel", "").lower().split():
            return
        if url := web_address(given.get("href"), self._base):
            self.found.append(NamedFeed(url=url, title=single_line(given.get("title", ""))))


def _is_page(answer: Answer) -> bool:
    body = answer.body or b""
    if looks_like_json(body, answer.content_type):
        return False
    return bool(_HTML.match(body.lstrip(b"\xef\xbb\xbf \t\r\n")[:100])) or (
        "html" in answer.content_type.lower() and _HTML.search(body[:2000]) is not None
    )


def _found(answer: Answer, now: datetime, others: tuple[NamedFeed, ...] = ()) -> FoundFeed:
    body = answer.body or b""
    parsed = parse_feed(body, source="feed", now=now, url=answer.found_at, content_type=answer.content_type)
    return FoundFeed(
        url=answer.url,
        title=_title(body, answer.content_type),
        parsed=parsed,
        others=others,
        redirected_to=answer.redirected_to,
    )


def _title(body: bytes, content_type: str) -> str:
    if looks_like_json(body, content_type):
        found = _JSON_TITLE.search(body)
        return single_line(found[1].decode("utf-8", "replace")) if found else ""
    return single_line(text_of(parse_document(body, content_type).feed, "title"))
