"""The pages of the preview: each route reads what is asked, asks the desk, fills in a template."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

import jinja2
from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from digestmail.mail.i18n import templates_directory
from digestmail.preview.color_scheme import painted
from digestmail.preview.local_only import LocalOnly
from digestmail.preview.options import Frame, Rendition, Tab, read_asked
from digestmail.preview.service import PreviewService
from digestmail.preview.views import View

POLL = timedelta(milliseconds=700)
"""How often the page asks whether something changed."""
_STATIC = {"preview.css": "text/css; charset=utf-8", "preview.js": "text/javascript; charset=utf-8"}


def application(desk: PreviewService, token: str, *, poll: timedelta = POLL) -> LocalOnly:
    """Return the preview as an ASGI application under `/TOKEN/`; pages ask for changes every `poll`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_directory()),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def filled(view: View, status: int = HTTPStatus.OK) -> HTMLResponse:
        page = templates.get_template("preview/page.html").render(
            view=view, tabs=Tab, frames=Frame, palettes=Rendition, poll=int(poll.total_seconds() * 1000)
        )
        return HTMLResponse(page, status_code=status)

    @app.get("/")
    def show(request: Request) -> HTMLResponse:
        return filled(desk.look(read_asked(request.query_params)))

    @app.get("/mail.html")
    def mail(request: Request) -> HTMLResponse:
        return _mail(desk, dict(request.query_params))

    @app.get("/changes")
    def changes() -> JSONResponse:
        return JSONResponse({"version": desk.version()})

    @app.post("/send")
    def send(request: Request, address: Annotated[str, Form(max_length=320)]) -> HTMLResponse:
        asked = read_asked(request.query_params)
        notice = desk.send(asked, address)
        return filled(desk.look(asked).with_notice(notice), HTTPStatus.OK if notice.good else HTTPStatus.BAD_GATEWAY)

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _STATIC:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return Response((templates_directory() / "preview" / name).read_bytes(), media_type=_STATIC[name])

    return LocalOnly(app, token)


def _mail(desk: PreviewService, query: dict[str, Any]) -> HTMLResponse:
    """Return the mail for the frame: without scripts, forms or fonts, and with images only if they are asked for."""
    asked = read_asked(query)
    shown = desk.look(asked).shown
    sources = "https: http: data:" if asked.images else "'none'"
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {sources}; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    )
    return HTMLResponse(
        painted(shown.html, asked.palette) if shown else "",
        status_code=HTTPStatus.OK if shown else HTTPStatus.NOT_FOUND,
        headers={"Content-Security-Policy": policy},
    )
