"""Papers by their arXiv ids: `id_list` of arXiv's query API (https://info.arxiv.org/help/api/user-manual.html#31-calling-the-api).

`max_results` is 10 unless it is given, also for `id_list`. Ids that arXiv does not know are left out of the answer, but
others may be missing as well, because answers are sometimes short or cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Paper, PaperId, Sighting
from digestmail.sources.arxiv_api import MIN_INTERVAL, parse_api_page, translated_refusals
from digestmail.sources.base import Fetcher
from digestmail.sources.bounds import bounded
from digestmail.sources.reading_list import ListedPaper, ListReading, list_reading

IDS_AT_ONCE: Final = 100
BASE_URL: Final = "https://export.arxiv.org"


class ArxivIdLists:
    """Lists that consist of their ids."""

    def read(self, reference: str, validator: str = "") -> ListReading:
        """Return the ids in `reference`, which are joined by spaces. Titles are empty; `ArxivPapers` finds them."""
        del validator
        return list_reading(ListedPaper(title="", ids=(PaperId(f"arxiv:{one}"),)) for one in reference.split())


class ArxivPapers:
    """arXiv's papers by id."""

    def __init__(self, *, fetcher: Fetcher, base_url: str = BASE_URL) -> None:
        """Fetch from `base_url`."""
        self._fetcher = fetcher
        self._base_url = base_url.rstrip("/")

    def find(self, arxiv_ids: Sequence[str]) -> dict[PaperId, Paper]:
        """Return the papers with these ids (without version) that arXiv has, by paper id.

        One request for each hundred, and another one for those that were missing. Raises SourceError.
        """
        found: dict[PaperId, Paper] = {}
        for start in range(0, len(arxiv_ids), IDS_AT_ONCE):
            some = arxiv_ids[start : start + IDS_AT_ONCE]
            found |= self._ask(some)
            if missing := [arxiv_id for arxiv_id in some if f"arxiv:{arxiv_id}" not in found]:
                found |= self._ask(missing)
        return found

    def _ask(self, arxiv_ids: Sequence[str]) -> dict[PaperId, Paper]:
        query = urlencode({"id_list": ",".join(arxiv_ids), "max_results": len(arxiv_ids)})
        with translated_refusals():
            answer = self._fetcher.fetch(
                f"{self._base_url}/api/query?{query}",
                accept="application/atom+xml",
                min_interval=MIN_INTERVAL,
                conditional=False,
                retry_empty=True,
            )
        if answer.body is None:
            raise SourceUnreadableError("arXiv answered 'not modified' to an unconditional request")
        papers = [
            bounded(one.paper) for one in parse_api_page(answer.body, source="").results if isinstance(one, Sighting)
        ]
        asked = {PaperId(f"arxiv:{arxiv_id}") for arxiv_id in arxiv_ids}
        return {paper.id: paper for paper in papers if paper.id in asked}
