"""The feed behind an address that someone found in a browser: the address itself, or what the page there names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from digestmail.errors import SourceUnreadableError
from digestmail.sources.base import Answer, Fetcher
from digestmail.sources.documents import parse_document, text_of
from digestmail.sources.feed_items import parse_feed
from digestmail.sources.jsonfeed import looks_like_json
from digestmail.sources.page_links import NamedFeed, feeds_of_page
from digestmail.sources.parsed import Parsed, single_line
from digestmail.sources.web_page import web_page
from digestmail.text.credentials import masked_address

ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, text/html;q=0.8, */*;q=0.5"
_JSON_TITLE = re.compile(rb'"title"\s*:\s*"((?:[^"\\]|\\.){1,300})"')


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
    page = _page_in(answer)
    if page is None:
        return _found(answer, now)
    named = feeds_of_page(page, answer.found_at)
    if not named:
        shown = masked_address(url)
        raise SourceUnreadableError(f"{shown} is a web page, and it names no feed: look for the feed's own address")
    same_host = urlsplit(named[0].url).hostname == urlsplit(answer.found_at).hostname
    chosen = fetcher if same_host or elsewhere is None else elsewhere
    return _found(chosen.fetch(named[0].url, accept=ACCEPT, conditional=False), now, named[1:])


def _page_in(answer: Answer) -> str | None:
    """Return the text of the web page that an answer is, or None if it may be a feed."""
    body = answer.body or b""
    if looks_like_json(body, answer.content_type):
        return None
    return web_page(body, answer.content_type)


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
