"""The page of a paper, and its citation."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from digestmail.editions import archive
from digestmail.editions.related import related
from digestmail.model.literature import INDEX_TITLES
from digestmail.papers.citations.formats import CitationFormat, cite
from digestmail.text.paths import paper_path
from digestmail.web.cache import Sharing, share
from digestmail.web.chart import chart
from digestmail.web.pages import page, url
from digestmail.web.query_params import app_of

router = APIRouter(include_in_schema=False)


@router.get("/papers/{ref:path}", response_class=HTMLResponse)
def show_paper(request: Request, ref: str) -> Response:
    """Show a paper, or redirect to it from one of its other names."""
    app = app_of(request)
    found = archive.paper_record(app.database, ref, app.config.summary_model)
    if found is None:
        raise HTTPException(404, "there is no such paper")
    paper = found.paper
    if paper.id != ref:
        return RedirectResponse(url(request, paper_path(paper.id)), status_code=302)
    titles = {digest.name: digest.title for digest in app_of(request).digests}
    share(request, Sharing.KEPT)
    return page(
        request,
        "paper.html",
        canonical=paper_path(paper.id),
        paper=paper,
        sightings=found.sightings,
        published=found.editions,
        titles=titles,
        back=next((one for one in reversed(found.editions) if one[0] in titles), None),
        related=related(app_of(request).database, paper, app_of(request).wall_clock.monotonic),
        summaries=found.summaries,
        records=found.records,
        index_titles=INDEX_TITLES,
        chart=chart(found.sightings),
        bibtex=cite([paper], CitationFormat.BIBTEX),
    )
