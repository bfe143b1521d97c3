"""Semantic Scholar: the batch endpoint of the Academic Graph API, https://api.semanticscholar.org/api-docs/graph.

- `POST /graph/v1/paper/batch?fields=...` with `{"ids": ["ARXIV:...", "DOI:..."]}` takes up to 500 ids and answers with
  a list in their order, with null for those it does not know.
- If it knows none of them, or one is malformed, the answer is 400 with "No valid paper ids given".
- A key, sent as `x-api-key`, allows one request a second. Without one, all users share a limit, and 429 is frequent.
- Answers about merged papers have other ids than were asked for, so records are matched by `externalIds` first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from digestmail.errors import SourceKnowsNothingError, SourceRefusedError, SourceUnreadableError
from digestmail.model.literature import IndexName, IndexRecord, PaperIds
from digestmail.sources.json_endpoint import JsonEndpoint
from digestmail.sources.literature import ByIds, count_of, venue_of
from digestmail.sources.reading_list import mapping_of, parse_json

BASE_URL: Final = "https://api.semanticscholar.org"
MIN_INTERVAL: Final = 1.0
"""Seconds between two requests."""
_BATCH: Final = 500
_FIELDS: Final = "externalIds,citationCount,venue,publicationVenue"
_PAGE: Final = "https://www.semanticscholar.org/paper/"
_HASH_LENGTH: Final = 40
_NONE_KNOWN: Final = "no valid paper ids"


def batch_address(base_url: str = BASE_URL) -> str:
    """Return the address of the batch endpoint."""
    return f"{base_url.rstrip('/')}/graph/v1/paper/batch?{urlencode({'fields': _FIELDS})}"


class SemanticScholar:
    """The index at an endpoint made for `batch_address`."""

    name = IndexName.SEMANTIC_SCHOLAR
    batch_size = _BATCH

    def __init__(self, endpoint: JsonEndpoint) -> None:
        """Ask `endpoint`."""
        self._endpoint = endpoint

    def look_up(self, papers: Sequence[PaperIds]) -> dict[int, IndexRecord]:
        """Return what is known about up to 500 papers, by row id.

        Raises SourceKnowsNothingError if none is known or an id is malformed, else SourceError.
        """
        asked = [(paper, name) for paper in papers if (name := _name_of(paper)) is not None]
        if not asked:
            return {}
        try:
            found = parse_json(self._endpoint.post({"ids": [name for _, name in asked]}))
        except SourceRefusedError as error:
            if error.status == HTTPStatus.BAD_REQUEST and _NONE_KNOWN in str(error).lower():
                raise SourceKnowsNothingError(str(error), status=error.status) from error
            raise
        if not isinstance(found, list):
            raise SourceUnreadableError(
                f"{self._endpoint.target.shown} answered no list of papers but a JSON {type(found).__name__}",
                status=HTTPStatus.OK,
            )
        in_order = [paper.row_id for paper, _ in asked] if len(found) == len(asked) else []
        return _records(found, ByIds(papers), in_order)


def _name_of(paper: PaperIds) -> str | None:
    if paper.arxiv_id is not None:
        return f"ARXIV:{paper.arxiv_id}"
    return f"DOI:{paper.dois[0]}" if paper.dois else None


def _records(found: list[Any], by_ids: ByIds, in_order: list[int]) -> dict[int, IndexRecord]:
    """Return the records by row id. An entry without ids is about the paper at its place, if none is missing."""
    records: dict[int, IndexRecord] = {}
    for place, entry in enumerate(map(mapping_of, found)):
        ids = mapping_of(entry.get("externalIds"))
        row_id = by_ids.row_of(dois=(ids.get("DOI"),), arxiv=(ids.get("ArXiv"),))
        if row_id is None and entry and not ids and in_order:
            row_id = in_order[place]
        if row_id is not None:
            records.setdefault(row_id, _record(entry))
    return records


def _record(entry: Mapping[str, Any]) -> IndexRecord:
    paper_id = entry.get("paperId")
    is_hash = isinstance(paper_id, str) and len(paper_id) == _HASH_LENGTH and paper_id.isascii() and paper_id.isalnum()
    return IndexRecord(
        source=IndexName.SEMANTIC_SCHOLAR,
        citations=count_of(entry.get("citationCount")),
        venue=venue_of(mapping_of(entry.get("publicationVenue")).get("name"), entry.get("venue")),
        url=f"{_PAGE}{paper_id}" if is_hash else None,
    )
