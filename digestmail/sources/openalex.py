"""OpenAlex: works by DOI, https://developers.openalex.org/guides/filtering.

- `GET /works?filter=doi:A|B&per_page=100` takes up to 100 values. Commas and bars separate values, so DOIs with one of
  them cannot be asked for. Unknown DOIs are left out of the answer, which has its own order.
- Since February 2026, a key (`api_key`) is needed for more than a few requests a day; with a free one, a list costs
  $0.0001 of $1 a day. The answer to a spent budget is 429. `mailto` has no effect any more.
- A preprint that was merged into its journal version is found by the journal's DOI, and has the preprint's among its
  `locations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

from digestmail.errors import SourceUnreadableError
from digestmail.model.literature import IndexName, IndexRecord, PaperIds
from digestmail.sources.base import Fetcher
from digestmail.sources.literature import ByIds, arxiv_doi, count_of, venue_of
from digestmail.sources.reading_list import list_of, mapping_of, parse_json

BASE_URL: Final = "https://api.openalex.org"
MIN_INTERVAL: Final = 1.0
"""Seconds between two requests."""
_BATCH: Final = 50
_MOST_VALUES: Final = 100
_SELECT: Final = "id,doi,cited_by_count,primary_location,locations"
_PUBLISHED: Final = frozenset({"journal", "conference", "book series"})
_PAGE: Final = "https://openalex.org/"
_MOST_LOCATIONS: Final = 100
_LONGEST_ID: Final = 20


class OpenAlex:
    """The index at `base_url`, with the account of `api_key`."""

    name = IndexName.OPENALEX
    batch_size = _BATCH

    def __init__(self, *, fetcher: Fetcher, api_key: str | None, base_url: str = BASE_URL) -> None:
        """Fetch from `base_url`."""
        self._fetcher = fetcher
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")

    def look_up(self, papers: Sequence[PaperIds]) -> dict[int, IndexRecord]:
        """Return what is known about up to 50 papers, by row id. Raises SourceError."""
        dois = list(dict.fromkeys(doi for paper in papers for doi in _dois(paper)))[:_MOST_VALUES]
        if not dois:
            return {}
        query = {"per_page": _MOST_VALUES, "select": _SELECT} | ({"api_key": self._api_key} if self._api_key else {})
        answer = self._fetcher.fetch(
            f"{self._base_url}/works?filter=doi:{quote('|'.join(dois), safe='/:|')}&{urlencode(query)}",
            accept="application/json",
            min_interval=MIN_INTERVAL,
            conditional=False,
        )
        works = mapping_of(parse_json(answer.body or b"")).get("results")
        if not isinstance(works, list):
            raise SourceUnreadableError(f"{self._base_url}/works answered no list of works", status=HTTPStatus.OK)
        return _records(works, ByIds(papers))


def _dois(paper: PaperIds) -> list[str]:
    """Return the DOIs to ask for: of the publication, and of the preprint."""
    dois = [*paper.dois[:1], *([arxiv_doi(paper.arxiv_id)] if paper.arxiv_id else ())]
    return [doi for doi in dois if not set(doi) & set("|,")]


def _records(works: list[Any], by_ids: ByIds) -> dict[int, IndexRecord]:
    """Return the records by row id: of two works of a paper, the one with more citations."""
    records: dict[int, IndexRecord] = {}
    for work in map(mapping_of, works):
        places = [mapping_of(one) for one in list_of(work.get("locations"))[:_MOST_LOCATIONS]]
        links = [one.get(key) for one in places for key in ("landing_page_url", "pdf_url", "id")]
        row_id = by_ids.row_of(dois=(work.get("doi"), *links), arxiv=links)
        if row_id is None:
            continue
        record = _record(work, places)
        known = records.get(row_id)
        if known is None or (record.citations or 0) > (known.citations or 0):
            records[row_id] = record
    return records


def _record(work: Mapping[str, Any], places: Sequence[Mapping[str, Any]]) -> IndexRecord:
    sources = [mapping_of(one.get("source")) for one in (mapping_of(work.get("primary_location")), *places)]
    name = str(work.get("id", "")).rpartition("/")[2]
    is_work = name[:1] == "W" and name[1:].isascii() and name[1:].isdigit() and len(name) <= _LONGEST_ID
    return IndexRecord(
        source=IndexName.OPENALEX,
        citations=count_of(work.get("cited_by_count")),
        venue=venue_of(*(one.get("display_name") for one in sources if one.get("type") in _PUBLISHED)),
        url=f"{_PAGE}{name}" if is_work else None,
    )
