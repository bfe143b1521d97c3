"""The search page."""

from __future__ import annotations

from math import ceil
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse

from digestmail.editions import archive
from digestmail.model.search import RANKED_AMONG, Query
from digestmail.web import people
from digestmail.web.pages import page
from digestmail.web.query_params import app_of, asked_day, asked_page, asked_text, begin_of, end_of

router = APIRouter(include_in_schema=False)
_HITS: Final = 20


def asked_query(request: Request) -> Query:
    """Return the search a request asks for: `q`, `topic`, `source`, `from` and `to` (days, both included)."""
    first, last = asked_day(request, "from"), asked_day(request, "to")
    return Query(
        text=asked_text(request, "q"),
        topic=asked_text(request, "topic") or None,
        source=asked_text(request, "source") or None,
        since=begin_of(first) if first else None,
        before=end_of(last) if last else None,
    )


async def limit_searches(request: Request) -> None:
    """Count a search, which costs more than any page that is kept. Raises HTTPException 429 when there are too many."""
    at = app_of(request).wall_clock.monotonic()
    wait = people.of(request).guard.search(client=people.client_of(request), at=at)
    if wait:
        seconds = ceil(wait)
        said = f"too many searches at once; try again in {seconds} s"
        raise HTTPException(429, said, headers={"Retry-After": str(seconds)})


Limited: Final = Depends(limit_searches)


def query_string(request: Request) -> str:
    """Return what narrows the search as a query string, without the page."""
    given = {name: asked_text(request, name) for name in ("q", "topic", "source", "from", "to")}
    return urlencode({name: value for name, value in given.items() if value})


@router.get("/search", dependencies=[Limited])
def show_search(request: Request) -> HTMLResponse:
    """Show the papers that match, the best first, hits marked."""
    app, query, number = app_of(request), asked_query(request), asked_page(request)
    found = archive.find_papers(app.database, query, limit=_HITS, offset=(number - 1) * _HITS)
    former = archive.topics(app.database)
    request.state.shared = "tagged"
    return page(
        request,
        "search.html",
        shared=True,
        query=query,
        found=found,
        topics=sorted({topic.name for digest in app.digests for topic in digest.topics} | set(former)),
        sources=sorted(source.name for source in app.config.sources),
        number=number,
        more=number * _HITS < found.total,
        capped=found.total >= RANKED_AMONG,
        asked=query_string(request),
        first=asked_text(request, "from") if query.since else "",
        last=asked_text(request, "to") if query.before else "",
    )
