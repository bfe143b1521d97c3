"""The feeds that a web page names (`<link rel="alternate">`, HTML 4.6.7.2). Linear in the length of the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

from digestmail.sources.parsed import single_line, web_address

SEARCHED = 500_000
"""How many characters of a page are searched. Links are in its head."""
_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"})
_TAG = re.compile(r"""<(?:link|base)\s(?:[^<>"']|"[^"]{0,1000}+"|'[^']{0,1000}+'){1,1000}+>""", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFeed:
    """A feed that a page names."""

    url: str
    title: str


def feeds_of_page(page: str, url: str) -> tuple[NamedFeed, ...]:
    """Return the feeds that a page names, in its order, those of comments last. `url` is where the page was found."""
    parser = _Links(url)
    for tag in _TAG.finditer(_without_comments(page[:SEARCHED])):
        parser.feed(tag[0])
    parser.close()
    # Of two links to one feed the first counts.
    feeds = {feed.url: feed for feed in reversed(parser.found)}
    ordered = list(reversed(feeds.values()))
    return tuple(sorted(ordered, key=lambda feed: "comment" in f"{feed.url} {feed.title}".lower()))


class _Links(HTMLParser):
    """Reads `link` and `base` tags."""

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


def _without_comments(page: str) -> str:
    """Return `page` without comments; one without an end is text, as it is to browsers that give up on it."""
    kept, at = [], 0
    while (start := page.find("<!--", at)) != -1 and (end := page.find("-->", start + 4)) != -1:
        kept.append(page[at:start])
        at = end + 3
    return "".join([*kept, page[at:]])
