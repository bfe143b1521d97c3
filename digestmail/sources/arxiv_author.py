"""arXiv's author feeds: arxiv.org/a/ID.atom2, Atom 1.0.

https://info.arxiv.org/help/author_identifiers.html. What matters here:

- The feed lists all articles of the author at once, with abstracts. `.atom2` joins the authors of an article in one
  `name`; `.atom` has one for each. There is no `opensearch:totalResults`, unlike in answers of the API.
- `id` of an entry is an arXiv id with its version, bare or in an address, depending on the version of arXiv's software.
- An identifier that is not known is answered by 400, not 404. An ORCID iD works like an identifier if its owner linked
  it to an arXiv account.
- It is a page of the web site, so the crawl delay of its robots.txt holds, 15 seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Skipped
from digestmail.sources.arxiv_api import check_rate, translated_refusals
from digestmail.sources.base import Fetcher
from digestmail.sources.documents import parse_document, text_of
from digestmail.sources.reading_list import (
    ListedPaper,
    ListReading,
    condition,
    etag_of,
    list_reading,
    listed_paper,
)

BASE_URL: Final = "https://arxiv.org"
MIN_INTERVAL: Final = 15.0
"""Seconds between two requests (https://arxiv.org/robots.txt)."""


class ArxivAuthors:
    """The articles of arXiv authors."""

    def __init__(self, *, fetcher: Fetcher, base_url: str = BASE_URL) -> None:
        """Fetch from `base_url`."""
        self._fetcher = fetcher
        self._base_url = base_url.rstrip("/")

    def read(self, reference: str, validator: str = "") -> ListReading:
        """Read the articles of the author identifier `reference`. `validator` is the ETag of the last answer."""
        with translated_refusals():
            answer = self._fetcher.fetch(
                f"{self._base_url}/a/{reference}.atom2",
                accept="application/atom+xml",
                min_interval=MIN_INTERVAL,
                conditional=False,
                headers=condition(validator),
            )
        if answer.body is None:
            return ListReading(unchanged=True, validator=validator)
        return list_reading(parse_author_feed(answer.body), etag_of(answer))


def parse_author_feed(body: bytes) -> Iterator[ListedPaper | Skipped]:
    """Yield the articles of an author feed.

    Raises SourceThrottledError for "Rate exceeded.", SourceUnreadableError if it is no feed or its end is missing.
    """
    check_rate(body)
    document = parse_document(body)
    if document.cut:
        raise SourceUnreadableError("the end of the feed is missing")
    for position, entry in enumerate(document.entries, 1):
        title, abstract = text_of(entry, "title"), text_of(entry, "summary")
        named = [text_of(entry, "id"), text_of(entry, "link")]
        yield listed_paper(title, abstract, named, position, markup=False)
    yield from document.skipped
