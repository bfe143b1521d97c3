"""What was added to a Zotero library, as a source of papers; `sources/zotero.py` says what matters about the API.

`dateAdded` is the date of the computer that added an item. An item that was added without network comes when that
computer is online again, so several days are read each time. The version of the library, which is sent as
`If-Modified-Since-Version`, saves this as long as nothing has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from digestmail.errors import SourceRefusedError, SourceUnreadableError
from digestmail.model.papers import Reading, Sighting, Skipped
from digestmail.papers.identity import find_arxiv_id, find_doi
from digestmail.sources.authors import clean_names
from digestmail.sources.base import Answer, Fetcher
from digestmail.sources.paging import Page, read_pages, reading_start
from digestmail.sources.parsed import YEARS, single_line, web_address
from digestmail.sources.plaintext import plain_text
from digestmail.sources.reading_list import list_of, mapping_of, string_of
from digestmail.sources.records import Record, sighting_of
from digestmail.sources.zotero import HEADERS, MIN_INTERVAL, NOT_PAPERS, is_last, items_path, named_in, parse_items

LOOK_BACK: Final = timedelta(days=10)
"""A paper that was added earlier is no news (`selection.newness`)."""
MISSED_AT_MOST: Final = timedelta(days=30)
MOST_PAGES: Final = 20


class Zotero:
    """The papers that were added to a library, or to one of its collections."""

    def __init__(
        self,
        *,
        name: str,
        fetcher: Fetcher,
        library: str,
        collection: str = "",
        base_url: str = "https://api.zotero.org",
    ) -> None:
        """Read the library `users/ID` or `groups/ID`. `fetcher` sends the key as `Zotero-API-Key`, if there is one."""
        self.name = name
        self._fetcher = fetcher
        self._library = library
        self._collection = collection
        self._base_url = base_url.rstrip("/")

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read what was added in the last ten days, or missed, at most a month. Raises SourceError."""
        start = reading_start(now, since, look_back=LOOK_BACK, at_most=MISSED_AT_MOST)
        first = self._fetch(0)
        validators = {first.url: first.validators}
        if first.body is None:
            return Reading(source=self.name, entries=0, unchanged=True, validators=validators)
        reading = read_pages(self.name, self._pages(first, start, now))
        return replace(reading, validators={} if reading.partial else validators)

    def _pages(self, first: Answer, start: datetime, now: datetime) -> Iterator[Page]:
        answer, received = first, 0
        for _ in range(MOST_PAGES):
            items = parse_items(answer.body or b"")
            rows = [
                (item, added)
                for item in items
                if (added := _moment(_data(item).get("dateAdded"))) is None or added >= start
            ]
            yield [_sighting(item, added, self.name, self._library, now) for item, added in rows]
            received += len(items)
            if len(rows) < len(items) or is_last(len(items), received, answer.headers):
                return
            answer = self._fetch(received)
        raise SourceUnreadableError(f"more than {received:,} items were added since {start:%d %b}")

    def _fetch(self, start: int) -> Answer:
        try:
            return self._fetcher.fetch(
                f"{self._base_url}/{items_path(self._library, start, self._collection)}",
                accept="application/json",
                min_interval=MIN_INTERVAL,
                conditional=start == 0,
                headers=HEADERS,
            )
        except SourceRefusedError as error:
            hint = _HINTS.get(error.status or 0, "")
            raise SourceRefusedError(f"{error}{hint}", status=error.status) from error


_HINTS: Final = {
    403: "; api_key_file is missing or wrong, or its key may not read this library",
    404: "; Zotero does not know this library or collection",
}


def _sighting(item: Any, added: datetime | None, source: str, library: str, now: datetime) -> Sighting | Skipped:
    data = _data(item)
    key = single_line(string_of(data.get("key")))[:50] or "an item without a key"
    kind = single_line(string_of(data.get("itemType")))[:50]
    if kind in NOT_PAPERS:
        return Skipped(entry=key, reason=f"no paper but a {kind}")
    if added is None:
        return Skipped(entry=key, reason="no date")
    named = named_in(data)
    doi = next(filter(None, map(find_doi, named)), None)
    page = web_address(string_of(mapping_of(mapping_of(mapping_of(item).get("links")).get("alternate")).get("href")))
    appeared = _day(string_of(mapping_of(mapping_of(item).get("meta")).get("parsedDate")))
    return sighting_of(
        Record(
            name=key,
            title=plain_text(string_of(data.get("title"))),
            abstract=plain_text(string_of(data.get("abstractNote"))),
            authors=clean_names(_names(data)),
            # A computer whose clock is ahead dates its items in the future.
            day=min(added, now).date(),
            published_at=appeared if appeared and appeared <= now else None,
            arxiv_id=next(filter(None, map(find_arxiv_id, named)), None),
            doi=doi,
            link=web_address(string_of(data.get("url"))) or (None if doi else page or _page(library, key)),
            keywords=[string_of(mapping_of(tag).get("tag")) for tag in list_of(data.get("tags"))],
            organization=string_of(data.get("publicationTitle")) or string_of(data.get("proceedingsTitle")),
        ),
        source,
    )


def _data(item: Any) -> Mapping[str, Any]:
    return mapping_of(mapping_of(item).get("data"))


def _page(library: str, key: str) -> str | None:
    return web_address(f"https://www.zotero.org/{library}/items/{key}")


def _names(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the authors of an item; of one without authors, such as a talk, all who made it."""
    creators = [mapping_of(one) for one in list_of(data.get("creators"))]
    authors = [one for one in creators if one.get("creatorType") == "author"]
    for one in authors or creators:
        parts = [string_of(one.get(field)) for field in ("firstName", "lastName")]
        if name := " ".join(part for part in parts if part) or string_of(one.get("name")):
            yield name


def _moment(text: object) -> datetime | None:
    """Return a time in UTC, such as `2026-04-02T08:00:00Z`."""
    try:
        moment = datetime.fromisoformat(string_of(text))
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC) if aware.year in YEARS else None


def _day(text: str) -> datetime | None:
    """Return the beginning of a day; a year or a month alone is none."""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day.year in YEARS else None
