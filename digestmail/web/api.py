"""The public API: papers, editions and search, read-only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel

from digestmail.editions import archive
from digestmail.model.papers import Paper
from digestmail.model.search import RANKED_AMONG
from digestmail.model.search import Query as SearchQuery
from digestmail.papers.citations.formats import CitationFormat
from digestmail.selection.segments import for_all_topics
from digestmail.web.cache import Sharing, cache_headers, share
from digestmail.web.citations import citation_file, preferred_format
from digestmail.web.pages import absolute
from digestmail.web.query_params import LARGEST_ROW, app_of, digest_of, end_of_day, start_of_day
from digestmail.web.schemas import (
    DigestOut,
    Digests,
    EditionName,
    EditionOut,
    Editions,
    EditionSummary,
    PaperDetail,
    PaperOut,
    Papers,
    Problem,
    RecordOut,
    SearchResultOut,
    SearchResults,
    SightingOut,
    SummaryOut,
)
from digestmail.web.search_page import Limited

MISSING: Final[dict[int | str, dict[str, Any]]] = {404: {"model": Problem, "description": "There is no such thing."}}
CITED: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {one.media_type: {} for one in CitationFormat}}}
INVALID: Final[dict[int | str, dict[str, Any]]] = {422: {"model": Problem, "description": "The request does not fit."}}
_TOO_MANY: Final[dict[int | str, dict[str, Any]]] = {
    429: {
        "model": Problem,
        "description": "Too many searches at once.",
        "headers": {"Retry-After": {"description": "Seconds until the next may come.", "schema": {"type": "integer"}}},
    }
}
router = APIRouter(prefix="/api/v1", tags=["public"], responses=INVALID)

Limit = Annotated[int, Query(ge=1, le=100, description="At most so many.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="Leave out so many.")]
Below = Annotated[int | None, Query(ge=1, le=LARGEST_ROW, description="Where the last page ended; given in `next`.")]
Text = Annotated[str, Query(max_length=200)]
Name = Annotated[str, Path(max_length=40)]


def next_page(request: Request, **changed: int) -> str:
    """Return the URL of the request with changed parameters."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return f"{absolute(request, path)}?{request.url.include_query_params(**changed).query}"


def _shared(request: Request, response: Response, *, varies: bool = False) -> None:
    """Let everyone share the answer; with `varies` everyone who accepts the same format."""
    share(request, Sharing.TAGGED)
    response.headers.update(cache_headers(request) | ({"Vary": "Accept"} if varies else {}))


def _cited(request: Request, papers: Callable[[], Sequence[Paper]], name: str) -> Response | None:
    """Return the answer as citations if the request prefers them to JSON; it is the same for everyone who does."""
    wanted = preferred_format(request.headers.get("accept", ""))
    if wanted is None:
        return None
    made = citation_file(request, papers(), wanted, name)
    made.headers["Vary"] = "Accept"
    return made


@router.get("/digests")
def list_digests(request: Request, response: Response) -> Digests:
    """List the digests and their topics."""
    _shared(request, response)
    return Digests(
        items=[
            DigestOut(
                name=digest.name,
                title=digest.title,
                byline=digest.byline,
                topics=[topic.name for topic in digest.topics],
            )
            for digest in app_of(request).digests
        ]
    )


@router.get("/editions", responses=MISSING)
def list_editions(
    request: Request,
    response: Response,
    digest: Annotated[str | None, Query(max_length=40)] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Editions:
    """List editions, newest first."""
    if digest is not None:
        digest_of(request, digest)
    lines = archive.edition_lines(app_of(request).database, digest=digest, limit=limit + 1, offset=offset)
    _shared(request, response)
    more = len(lines) > limit
    return Editions(
        items=[EditionSummary.of(line) for line in lines[:limit]],
        next=next_page(request, offset=offset + limit) if more else None,
    )


@router.get("/editions/{digest}/{slot}", responses=MISSING | CITED, response_model=EditionOut)
def get_edition(request: Request, response: Response, digest: Name, slot: Name) -> EditionOut | Response:
    """Return an edition with all topics, or cite its papers."""
    database = app_of(request).database
    found = archive.find_edition(database, digest, slot)
    if found is None or found.edition.digest != found.edition.base:
        raise HTTPException(404, "there is no such edition")
    sections = for_all_topics(found.edition)
    shown = [entry.paper for section in sections for entry in section.entries]
    cited = _cited(request, lambda: archive.papers_today(database, shown), "edition")
    if cited is not None:
        return cited
    _shared(request, response, varies=True)
    return EditionOut.of(found.edition)


@router.get("/papers", responses=CITED, response_model=Papers)
def list_papers(request: Request, response: Response, limit: Limit = 50, below: Below = None) -> Papers | Response:
    """List or cite papers, newest first."""
    rows = archive.paper_page(app_of(request).database, below=below, limit=limit + 1)
    cited = _cited(request, lambda: [paper for _, paper in rows[:limit]], "papers")
    if cited is not None:
        return cited
    _shared(request, response, varies=True)
    more = len(rows) > limit
    return Papers(
        items=[PaperOut.of(paper) for _, paper in rows[:limit]],
        next=next_page(request, below=rows[limit - 1][0]) if more else None,
    )


@router.get("/papers/{ref:path}", responses=MISSING | CITED, response_model=PaperDetail)
def get_paper(
    request: Request, response: Response, ref: Annotated[str, Path(max_length=2000)]
) -> PaperDetail | Response:
    """Return or cite a paper by its ID, an arXiv ID, a DOI or a link."""
    app = app_of(request)
    found = archive.paper_record(app.database, ref, app.config.summary_model)
    if found is None:
        raise HTTPException(404, "there is no such paper")
    cited = _cited(request, lambda: [found.paper], "paper")
    if cited is not None:
        return cited
    _shared(request, response, varies=True)
    return PaperDetail(
        paper=PaperOut.of(found.paper),
        sightings=[SightingOut.of(row) for row in found.sightings],
        editions=[EditionName(digest=digest, slot=slot) for digest, slot in found.editions],
        summaries=[SummaryOut.of(summary) for summary in found.summaries],
        records=[RecordOut.of(record) for record in found.records],
    )


@router.get("/search", dependencies=[Limited], responses=_TOO_MANY | CITED, response_model=SearchResults)
def search(  # noqa: PLR0913, PLR0917 - FastAPI passes by name; these are the parameters of the query
    request: Request,
    response: Response,
    q: Text = "",
    topic: Annotated[str | None, Query(max_length=200)] = None,
    source: Annotated[str | None, Query(max_length=40)] = None,
    since: Annotated[date | None, Query(alias="from", description="First seen on this day or later.")] = None,
    until: Annotated[date | None, Query(alias="to", description="First seen on this day or earlier.")] = None,
    limit: Limit = 20,
    offset: Annotated[int, Query(ge=0, le=RANKED_AMONG)] = 0,
) -> SearchResults | Response:
    """Search all papers for words and "phrases", all of which must occur, and list or cite those found."""
    query = SearchQuery(
        text=q,
        topic=topic,
        source=source,
        since=start_of_day(since) if since else None,
        before=end_of_day(until) if until else None,
    )
    found = archive.find_papers(app_of(request).database, query, limit=limit, offset=offset)
    cited = _cited(request, lambda: [hit.paper for hit in found.hits], "search")
    if cited is not None:
        return cited
    _shared(request, response, varies=True)
    return SearchResults(
        items=[SearchResultOut.of(hit) for hit in found.hits],
        total=found.total,
        next=next_page(request, offset=offset + limit) if offset + limit < found.total else None,
    )


def as_json(model: BaseModel) -> str:
    """Return a model as JSON."""
    return model.model_dump_json()
