"""The search page."""

from __future__ import annotations

from math import ceil
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse

from digestmail.editions import archive
from digestmail.model.search import RANKED_AMONG, Query
from digestmail.web import subscriber_pages
from digestmail.web.cache import Sharing, share
from digestmail.web.pages import page
from digestmail.web.query_params import app_of, asked_day, asked_page, asked_text, end_of_day, start_of_day

router = APIRouter(include_in_schema=False)
_HITS: Final = 20


def asked_query(request: Request) -> Query:
    """Return the search in a query string: `q`, `topic`, `source`, `from` and `to` (dates, inclusive)."""
    first, last = asked_day(request, "from"), asked_day(request, "to")
    return Query(
        text=asked_text(request, "q"),
        topic=asked_text(request, "topic") or None,
        source=asked_text(request, "source") or None,
        since=start_of_day(first) if first else None,
        before=end_of_day(last) if last else None,
    )


async def limit_searches(request: Request) -> None:
    """Count a search, because searches are expensive. Raises HTTPException 429 if there are too many."""
    at = app_of(request).wall_clock.monotonic()
    wait = subscriber_pages.web_state(request).rate_limiter.search(client=subscriber_pages.client_of(request), at=at)
    if wait:
        seconds = ceil(wait)
        raise HTTPException(
            429, "too many searches; please try again in a minute", headers={"Retry-After": str(seconds)}
        )


Limited: Final = Depends(limit_searches)


def query_string(request: Request) -> str:
    """Return the search as a query string, without the page."""
    given = {name: asked_text(request, name) for name in ("q", "topic", "source", "from", "to")}
    return urlencode({name: value for name, value in given.items() if value})


@router.get("/search", dependencies=[Limited])
def show_search(request: Request) -> HTMLResponse:
    """Show the matching papers, best first, with highlighted terms."""
    app, query, number = app_of(request), asked_query(request), asked_page(request)
    found = archive.find_papers(app.database, query, limit=_HITS, offset=(number - 1) * _HITS)
    former = archive.topics(app.database)
    share(request, Sharing.TAGGED)
    return page(
        request,
        "search.html",
        query=query,
        found=found,
        topics=sorted({topic.name for digest in app.digests for topic in digest.topics} | set(former)),
        # A list of feeds has one name here, whatever is in it.
        sources=sorted({source.name.partition("/")[0] for source in app.config.sources}),
        number=number,
        more=number * _HITS < found.total,
        capped=found.total >= RANKED_AMONG,
        asked=query_string(request),
        first=asked_text(request, "from") if query.since else "",
        last=asked_text(request, "to") if query.before else "",
    )
