"""`robots.txt` and the sitemaps (sitemaps.org, at most 50,000 URLs each)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response

from digestmail.editions import archive
from digestmail.text.paths import paper_path
from digestmail.web.cache import Sharing, cache_headers, share
from digestmail.web.pages import absolute, url
from digestmail.web.query_params import LARGEST_ROW, app_of

router = APIRouter(include_in_schema=False)
_ROWS: Final = 20_000
_EDITIONS: Final = 40_000
_SITEMAP: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"


@router.get("/robots.txt")
def robots(request: Request) -> PlainTextResponse:
    """Return `robots.txt`, which excludes searches, the API and citations."""
    closed = "".join(
        f"Disallow: {url(request, path)}\n"
        for path in ("/search", "/for-you/", "/api/", "/bibtex/", "/ris/", "/csl-json/")
    )
    share(request, Sharing.KEPT)
    return PlainTextResponse(f"User-agent: *\n{closed}\nSitemap: {absolute(request, '/sitemap.xml')}\n")


@router.get("/sitemap.xml")
def index(request: Request) -> Response:
    """Return the sitemap index."""
    blocks = -(-archive.newest_paper_row(app_of(request).database) // _ROWS)
    paths = ["/sitemap-editions.xml", *(f"/sitemap-papers-{number}.xml" for number in range(blocks))]
    return _xml(request, "sitemapindex", "sitemap", ((path, None) for path in paths))


@router.get("/sitemap-editions.xml")
def editions(request: Request) -> Response:
    """Return the sitemap of digests and editions."""
    app = app_of(request)
    lines = archive.edition_lines(app.database, limit=_EDITIONS)
    pages = [("/", None), ("/papers", None), *((f"/{digest.name}", None) for digest in app.digests)]
    named = {digest.name for digest in app.digests}
    found = ((f"/{line.digest}/{line.slot}", line.composed_at) for line in lines if line.digest in named)
    return _xml(request, "urlset", "url", (*pages, *found))


@router.get("/sitemap-papers-{number}.xml")
def papers(request: Request, number: str) -> Response:
    """Return the sitemap of one block of papers."""
    if not re.fullmatch("[0-9]{1,6}", number) or (int(number) + 1) * _ROWS > LARGEST_ROW:
        raise HTTPException(404, "there is no such sitemap")
    first = int(number) * _ROWS + 1
    found = archive.paper_keys(app_of(request).database, first, first + _ROWS - 1)
    return _xml(request, "urlset", "url", ((paper_path(key), at) for key, at in found))


def _xml(request: Request, root: str, each: str, pages: Iterable[tuple[str, datetime | None]]) -> Response:
    document = ET.Element(root, xmlns=_SITEMAP)
    for path, changed_at in pages:
        place = ET.SubElement(document, each)
        ET.SubElement(place, "loc").text = absolute(request, path)
        if changed_at is not None:
            ET.SubElement(place, "lastmod").text = changed_at.date().isoformat()
    body = b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(document, encoding="utf-8")
    share(request, Sharing.TAGGED)
    return Response(body, media_type="application/xml", headers=cache_headers(request))
