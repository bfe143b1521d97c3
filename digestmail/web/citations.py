"""Citations as files: of a paper, of an edition, of a search; and which format an Accept field asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from digestmail.editions import archive
from digestmail.model.papers import Paper
from digestmail.papers.citations.formats import CitationFormat, cite
from digestmail.selection.segments import for_page
from digestmail.web.cache import Sharing, cache_headers, share
from digestmail.web.query_params import app_of, asked_topic, digest_of
from digestmail.web.search_page import Limited, asked_query

router = APIRouter(include_in_schema=False)
MOST_CITED: Final = 500
"""How many papers of a search are cited at most, the newest."""
_LONGEST_HEADER: Final = 1000
_MEANS_JSON: Final = {"application/json", "application/*", "*/*"}
_BY_EXTENSION: Final = {wanted.extension: wanted for wanted in CitationFormat}
_BY_MEDIA_TYPE: Final = {wanted.media_type: wanted for wanted in CitationFormat}


def preferred_format(accept: str) -> CitationFormat | None:
    """Return the citation format that an Accept field prefers (RFC 9110 section 12.5.1), None for JSON. Pure.

    JSON stands for every wildcard, and is the answer to who accepts nothing that is offered.
    """
    best: tuple[float, CitationFormat | None] = (0.0, None)
    for one in accept[:_LONGEST_HEADER].split(","):
        media_type, *parameters = (part.strip().lower() for part in one.split(";"))
        if media_type in _BY_MEDIA_TYPE or media_type in _MEANS_JSON:
            weight = _weight(parameters)
            if weight > best[0]:
                best = (weight, _BY_MEDIA_TYPE.get(media_type))
    return best[1]


def _weight(parameters: Sequence[str]) -> float:
    """Return the quality value among the parameters of a media type, 1 if there is none, 0 if it is no number."""
    given = next((one.partition("=")[2].strip() for one in parameters if one.startswith("q=")), "1")
    try:
        return min(max(float(given), 0.0), 1.0)
    except ValueError:
        return 0.0


def citation_file(request: Request, papers: Sequence[Paper], wanted: CitationFormat, name: str) -> Response:
    """Return a file to save that cites `papers`, for everyone alike; its name is `name` and the format's ending."""
    share(request, Sharing.TAGGED)
    saved = {"Content-Disposition": f'attachment; filename="{name}.{wanted.extension}"'}
    return Response(
        cite(papers, wanted),
        media_type=f"{wanted.media_type}; charset=utf-8",
        headers=cache_headers(request) | saved,
    )


@router.get("/bibtex/{ref:path}")
def cite_in_bibtex(request: Request, ref: str) -> Response:
    """Return a paper's citation as BibTeX."""
    return _paper(request, ref, CitationFormat.BIBTEX)


@router.get("/ris/{ref:path}")
def cite_in_ris(request: Request, ref: str) -> Response:
    """Return a paper's citation as RIS."""
    return _paper(request, ref, CitationFormat.RIS)


@router.get("/csl-json/{ref:path}")
def cite_in_csl_json(request: Request, ref: str) -> Response:
    """Return a paper's citation as CSL-JSON."""
    return _paper(request, ref, CitationFormat.CSL_JSON)


@router.get("/search.{extension}", dependencies=[Limited])
def cite_search(request: Request, extension: str) -> Response:
    """Cite the newest papers that match a search."""
    wanted = _format(extension)
    found = archive.newest_matches(app_of(request).database, asked_query(request), limit=MOST_CITED)
    return citation_file(request, [match.paper for match in found], wanted, "search")


@router.get("/{name}/{slot}/papers.{extension}")
def cite_edition(request: Request, name: str, slot: str, extension: str) -> Response:
    """Cite the papers of an edition as its page shows them; `topic` narrows them."""
    wanted, digest = _format(extension), digest_of(request, name)
    found = archive.find_edition(app_of(request).database, digest.name, slot)
    if found is None:
        raise HTTPException(404, "there is no edition for that day")
    sections = for_page(found.edition, asked_topic(request))
    if sections is None:
        raise HTTPException(404, "this edition has no such topic")
    shown = [entry.paper for section in sections for entry in section.entries]
    papers = archive.papers_today(app_of(request).database, shown)
    return citation_file(request, papers, wanted, f"{digest.name}-{found.edition.slot.key.replace(':', '')}")


def _paper(request: Request, ref: str, wanted: CitationFormat) -> Response:
    paper = archive.find_paper(app_of(request).database, ref)
    if paper is None:
        raise HTTPException(404, "there is no such paper")
    return citation_file(request, [paper], wanted, "paper")


def _format(extension: str) -> CitationFormat:
    wanted = _BY_EXTENSION.get(extension)
    if wanted is None:
        raise HTTPException(404)
    return wanted
