"""Zotero libraries: the Web API, version 3, read only.

https://www.zotero.org/support/dev/web_api/v3/basics. What matters here:

- `GET /users/ID/items/top` or `/groups/ID/items/top` lists items without a parent, at most 100 a page; `Total-Results`
  counts all. `Link` names the next page, but we count `start` ourselves: a server then cannot send us anywhere.
- `Last-Modified-Version` is the version of the library. Sent back as `If-Modified-Since-Version`, it is answered by 304
  if nothing changed since. It is a number, not an ETag.
- Public libraries need no key. A wrong key is answered by 403 even for them; so is a private library without a key.
- A server under load sends `Backoff` with any answer, or 429 with `Retry-After`. Ten requests a second are allowed.
- Papers have `title` and `abstractNote`, but cases, statutes and emails have other fields instead of `title`. Notes and
  attachments without a parent are items, too. Titles may contain `<i>`, `<b>`, `<sub>`, `<sup>`. An arXiv id is in
  `archiveID`, `url`, or a line of `extra`; a DOI is in `DOI` or, for items without that field, in `extra`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from digestmail.errors import SourceThrottledError, SourceUnavailableError, SourceUnreadableError
from digestmail.model.papers import Skipped
from digestmail.sources.base import Answer, Fetcher
from digestmail.sources.reading_list import (
    MOST_PAPERS,
    ListedPaper,
    ListReading,
    list_reading,
    listed_paper,
    mapping_of,
    parse_json,
    string_of,
)

BASE_URL: Final = "https://api.zotero.org"
MIN_INTERVAL: Final = 1.0
"""Seconds between two requests."""
MOST_PAGES: Final = 15
"""Pages of one library that are read at most: notes and attachments are on them, too."""

NOT_PAPERS: Final = frozenset({"attachment", "note", "annotation"})
"""Types of items that are parts of others, though they may stand alone."""
HEADERS: Final = MappingProxyType({"Zotero-API-Version": "3"})

_PAGE: Final = 100
_MOST_DIGITS: Final = 12


class ZoteroLibraries:
    """The libraries of Zotero users and groups, as far as the key that `fetcher` sends allows."""

    def __init__(self, *, fetcher: Fetcher, base_url: str = BASE_URL) -> None:
        """Fetch from `base_url`. `fetcher` sends the key as `Zotero-API-Key`, if there is one."""
        self._fetcher = fetcher
        self._base_url = base_url.rstrip("/")

    def read(self, reference: str, validator: str = "") -> ListReading:
        """Read the newest papers of a library, `users/ID` or `groups/ID`; `validator` is its last known version.

        If the library changes meanwhile, the version of the first page counts, so that the next reading sees it.
        """
        first = self._fetch(reference, 0, validator)
        if first.body is None:
            return ListReading(unchanged=True, validator=validator)
        version = first.headers.get("last-modified-version", "")
        results: list[ListedPaper | Skipped] = []
        for items in self._pages(reference, first):
            results += _papers(items, len(results))
            if sum(isinstance(result, ListedPaper) for result in results) >= MOST_PAPERS:
                break
        return list_reading(results, version if _number(version) else "")

    def _pages(self, reference: str, first: Answer) -> Iterator[list[Any]]:
        """Yield page after page, each from where the last one ended, until there are no more items."""
        answer, start = first, 0
        for left in reversed(range(MOST_PAGES)):
            items = parse_items(answer.body or b"")
            yield items
            start += len(items)
            if not left or is_last(len(items), start, answer.headers):
                return
            answer = self._next(reference, start)

    def _next(self, reference: str, start: int) -> Answer:
        try:
            return self._fetch(reference, start)
        except SourceThrottledError as error:
            # Requests were made, so the list counts as tried.
            raise SourceUnavailableError(f"only the first {start} items: {error}", status=error.status) from error

    def _fetch(self, reference: str, start: int, version: str = "") -> Answer:
        condition = {"If-Modified-Since-Version": version} if version else {}
        return self._fetcher.fetch(
            f"{self._base_url}/{items_path(reference, start)}",
            accept="application/json",
            min_interval=MIN_INTERVAL,
            conditional=False,
            headers={**HEADERS, **condition},
        )


def parse_items(body: bytes) -> list[Any]:
    """Return the items of one page. Raises SourceUnreadableError if it is not a JSON list."""
    items = parse_json(body)
    if not isinstance(items, list):
        raise SourceUnreadableError(f"the answer is not a list of items but a JSON {type(items).__name__}")
    return items


def _papers(items: Iterable[Any], before: int) -> Iterator[ListedPaper | Skipped]:
    """Yield what becomes of the items; notes and attachments are left out."""
    for position, item in enumerate(items, before + 1):
        data = mapping_of(mapping_of(item).get("data"))
        if not data:
            yield Skipped(entry=f"record {position}", reason="no data")
        elif data.get("itemType") not in NOT_PAPERS:
            yield listed_paper(
                string_of(data.get("title")), string_of(data.get("abstractNote")), named_in(data), position
            )


def named_in(data: Mapping[str, Any]) -> list[str]:
    """Return the texts of an item that may contain an arXiv id or a DOI."""
    return [
        *(string_of(data.get(field)) for field in ("archiveID", "DOI", "url")),
        *string_of(data.get("extra")).splitlines(),
    ]


def items_path(reference: str, start: int, collection: str = "") -> str:
    """Return the address of a page of the library `reference`, or of one of its collections, the newest items first."""
    query = urlencode({"format": "json", "sort": "dateAdded", "direction": "desc", "limit": _PAGE, "start": start})
    return f"{reference}{f'/collections/{collection}' if collection else ''}/items/top?{query}"


def is_last(received: int, end: int, headers: Mapping[str, str]) -> bool:
    """Return whether the page with `received` items, up to number `end`, is the last one."""
    total = _number(headers.get("total-results", ""))
    return received == 0 or (received < _PAGE if total is None else end >= total)


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
