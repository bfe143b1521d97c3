"""arXiv's query API: export.arxiv.org/api/query, Atom 1.0.

https://info.arxiv.org/help/api/user-manual.html. One request in three seconds over all machines; results change once
a day. Throttling comes in many dresses: 429, 503, but also 403, 406, and 200 with the body "Rate exceeded.".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from digestmail.errors import SourceError, SourceRefusedError, SourceThrottledError, SourceUnreadableError
from digestmail.model.papers import Reading, Sighting, Skipped
from digestmail.papers.identity import find_arxiv_id
from digestmail.schedule.arxiv_calendar import announcement_day, feed_day, first_submission
from digestmail.sources.arxiv import arxiv_categories, arxiv_paper, subject_pattern
from digestmail.sources.authors import clean_names
from digestmail.sources.base import Answer, Fetcher
from digestmail.sources.documents import name_entry, names_of, parse_document, terms_of, text_of, time_of
from digestmail.sources.parsed import gather, single_line

MIN_INTERVAL = 3.0
"""Seconds between two requests, over all machines (https://info.arxiv.org/help/api/tou.html)."""

RESULT_LIMIT = 30_000
"""Results of one query that arXiv hands out at most."""


FIRST_LOOK_BACK = timedelta(days=3)
LOOK_BACK_AT_MOST = timedelta(days=14)
ANNOUNCEMENT_LAG = timedelta(days=4)
"""A paper is shown when it is announced: usually up to so long after it was submitted, because of weekends and
moderation. Deferred announcements take longer."""

_THROTTLING = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_ACCEPTABLE}
_MOST_DIGITS = 12
"""Of a number of results. Python refuses to read numbers with thousands of digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPage:
    """One answer: what became of its whole entries, and how many there are in all, as far as arXiv knows."""

    results: tuple[Sighting | Skipped, ...]
    total: int


class ArxivApi:
    """What was submitted to some arXiv categories; reaches back over the days the feed was missed."""

    def __init__(
        self,
        *,
        name: str,
        fetcher: Fetcher,
        categories: Sequence[str] = (),
        query: str = "",
        base_url: str = "https://export.arxiv.org",
        page_size: int = 500,
    ) -> None:
        """Ask for papers in any of `categories` that also match `query` (arXiv's syntax), `page_size` at a time."""
        self.name = name
        self._fetcher = fetcher
        self._categories = tuple(categories)
        self._query = query
        self._base_url = base_url.rstrip("/")
        self._page_size = page_size

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read what was submitted since shortly before `since`, at most two weeks back. Raises SourceError."""
        parameters = {
            "search_query": search_query(self._categories, self._query, *window(now, since)),
            "sortBy": "submittedDate",
            # Newest first: what is added while we page pushes known entries down to us again, and hides none.
            "sortOrder": "descending",
        }
        first = self._fetch(self._url(parameters, 0), conditional=True)
        if first.body is None:
            return Reading(
                source=self.name,
                entries=0,
                categories=self._categories,
                unchanged=True,
                validators={first.url: first.validators},
            )
        results, partial = self._pages(parameters, first.body)
        gathered = gather(results, partial)
        return Reading(
            source=self.name,
            entries=gathered.entries,
            sightings=gathered.sightings,
            skipped=gathered.skipped,
            categories=self._categories,
            partial=partial,
            # Only a whole reading may be answered by "not modified" next time.
            validators={} if partial else {first.url: first.validators},
        )

    def _pages(self, parameters: Mapping[str, str], first_body: bytes) -> tuple[list[Sighting | Skipped], str | None]:
        """Read page after page, each from where the last one really ended; say why when that was not the end."""
        results: list[Sighting | Skipped] = []
        page = self._page(parameters, 0, body=first_body)
        # Pages may be short for no reason, but not all of them for ever.
        for _ in range(2 * math.ceil(min(page.total, RESULT_LIMIT) / self._page_size) + 10):
            results += page.results
            if len(results) >= min(page.total, RESULT_LIMIT):
                return results, _over_limit(page.total)
            if not page.results:
                return results, f"arXiv gave {len(results):,} of {page.total:,} entries and then an empty page, twice"
            try:
                page = self._page(parameters, len(results))
            except SourceError as error:
                return results, f"only the first {len(results):,} of {page.total:,} entries: {error}"
        return results, f"only the first {len(results):,} of {page.total:,} entries: the pages are too short"

    def _page(self, parameters: Mapping[str, str], start: int, *, body: bytes | None = None) -> ResultPage:
        """Return the page at `start`, asking again when it is empty though it should not be."""
        url = self._url(parameters, start)
        page = parse_api_page(self._body(url) if body is None else body, source=self.name)
        if page.results or page.total <= start:
            return page
        return parse_api_page(self._body(url), source=self.name)

    def _url(self, parameters: Mapping[str, str], start: int) -> str:
        size = min(self._page_size, RESULT_LIMIT - start)
        return f"{self._base_url}/api/query?{urlencode({**parameters, 'start': start, 'max_results': size})}"

    def _body(self, url: str) -> bytes:
        body = self._fetch(url, conditional=False).body
        if body is None:
            raise SourceUnreadableError("arXiv says 'not modified' to an unconditional request")
        return body

    def _fetch(self, url: str, *, conditional: bool) -> Answer:
        with translated_refusals():
            return self._fetcher.fetch(
                url, accept="application/atom+xml", min_interval=MIN_INTERVAL, conditional=conditional, retry_empty=True
            )


@contextmanager
def translated_refusals() -> Iterator[None]:
    """Turn the refusals by which arXiv asks for fewer requests into SourceThrottledError."""
    try:
        yield
    except SourceRefusedError as error:
        if error.status not in _THROTTLING:
            raise
        raise SourceThrottledError(
            f"arXiv answers {error.status}, its way to say: not so often", status=error.status
        ) from error


def check_rate(body: bytes) -> None:
    """Raise SourceThrottledError if an answer with status 200 is arXiv's "Rate exceeded."."""
    if body.lstrip()[:13].lower() == b"rate exceeded":
        raise SourceThrottledError("arXiv says: Rate exceeded.", status=HTTPStatus.OK)


def _over_limit(total: int) -> str | None:
    return f"arXiv hands out at most {RESULT_LIMIT:,} of {total:,} results" if total > RESULT_LIMIT else None


def window(now: datetime, since: datetime | None) -> tuple[datetime, datetime]:
    """Return from when to when to ask for submissions, in whole days, so that a day's requests are the same.

    Everything that was announced on the day of `since` (US Eastern), or later, was submitted in between.
    """
    start = now - FIRST_LOOK_BACK if since is None else max(since, now - LOOK_BACK_AT_MOST)
    start = min(start - ANNOUNCEMENT_LAG, first_submission(feed_day(start)).astimezone(UTC))
    return (
        start.replace(hour=0, minute=0, second=0, microsecond=0),
        now.replace(hour=23, minute=59, second=0, microsecond=0),
    )


def search_query(categories: Sequence[str], query: str, start: datetime, end: datetime) -> str:
    """Return arXiv's `search_query`: any of `categories`, and `query`, and submitted between two times (UTC)."""
    parts = []
    if categories:
        parts.append(" OR ".join(f"cat:{subject_pattern(category)}" for category in categories))
    if query.strip():
        parts.append(single_line(query))
    parts = [f"({part})" for part in parts]
    parts.append(f"submittedDate:[{start:%Y%m%d%H%M} TO {end:%Y%m%d%H%M}]")
    return " AND ".join(parts)


def parse_api_page(body: bytes, *, source: str) -> ResultPage:
    """Parse one answer of the API. An entry cut by the end of the bytes is left out: the next page begins with it.

    Raises SourceThrottledError for "Rate exceeded.", SourceRefusedError with arXiv's words for one of its error
    entries, SourceUnreadableError when this is no answer of the API.
    """
    check_rate(body)
    document = parse_document(body)
    for entry in document.entries:
        if "arxiv.org/api/errors" in text_of(entry, "id"):
            raise SourceRefusedError(f"arXiv says: {single_line(text_of(entry, 'summary'))[:300]}")
    total = text_of(document.feed, "opensearch_totalresults").strip()
    if not (total.isascii() and total.isdigit()) or len(total) > _MOST_DIGITS:
        raise SourceUnreadableError("not an answer of the arXiv API: it does not say how many results there are")
    results = [_sighting(entry, position, source) for position, entry in enumerate(document.entries, 1)]
    return ResultPage(results=(*results, *document.skipped), total=int(total))


def _sighting(entry: Mapping[str, Any], position: int, source: str) -> Sighting | Skipped:
    name = name_entry(entry, position)
    arxiv_id = find_arxiv_id(text_of(entry, "id"))
    if arxiv_id is None:
        return Skipped(entry=name, reason="no arXiv id")
    submitted_at = time_of(entry, "published")
    if submitted_at is None:
        return Skipped(entry=name, reason="no submission date")
    primary = entry.get("arxiv_primary_category")
    paper = arxiv_paper(
        arxiv_id=arxiv_id,
        title=text_of(entry, "title"),
        abstract=text_of(entry, "summary"),
        authors=clean_names(names_of(entry)),
        categories=arxiv_categories(
            terms_of(entry), primary=text_of(primary, "term") if isinstance(primary, Mapping) else ""
        ),
        doi=text_of(entry, "arxiv_doi"),
        comment=text_of(entry, "arxiv_comment"),
        published_at=submitted_at,
    )
    if paper is None:
        return Skipped(entry=name, reason="no title")
    return Sighting(source=source, paper=paper, day=announcement_day(submitted_at))
