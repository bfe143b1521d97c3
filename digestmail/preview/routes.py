"""The routes of the preview."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

import jinja2
from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from digestmail.mail.template_files import templates_directory
from digestmail.preview.color_scheme import with_color_scheme
from digestmail.preview.local_only import LocalOnly
from digestmail.preview.options import ColorScheme, Frame, Tab, parse_options
from digestmail.preview.service import PreviewService
from digestmail.preview.views import View

POLL = timedelta(milliseconds=700)
"""How often the page checks for changes."""
_STATIC = {"preview.css": "text/css; charset=utf-8", "preview.js": "text/javascript; charset=utf-8"}


class _Pages:
    """Renders the preview page as HTML."""

    def __init__(self, poll: timedelta) -> None:
        self._poll = int(poll.total_seconds() * 1000)
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(templates_directory()),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def response(self, view: View, status: int = HTTPStatus.OK) -> HTMLResponse:
        template = self._templates.get_template("preview/page.html")
        page = template.render(view=view, tabs=Tab, frames=Frame, palettes=ColorScheme, poll=self._poll)
        return HTMLResponse(page, status_code=status)


def application(service: PreviewService, token: str, *, poll: timedelta = POLL) -> LocalOnly:
    """Return the preview as an ASGI application under `/TOKEN/`. Pages check for changes every `poll`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    pages = _Pages(poll)

    @app.get("/")
    def show(request: Request) -> HTMLResponse:
        return pages.response(service.render(parse_options(request.query_params)))

    @app.get("/mail.html")
    def mail(request: Request) -> HTMLResponse:
        return _mail(service, dict(request.query_params))

    @app.get("/changes")
    def changes() -> JSONResponse:
        return JSONResponse({"version": service.version()})

    @app.post("/send")
    def send(request: Request, address: Annotated[str, Form(max_length=320)]) -> HTMLResponse:
        options = parse_options(request.query_params)
        result = service.send(options, address)
        view = service.render(options).with_test_result(result)
        return pages.response(view, HTTPStatus.OK if result.good else HTTPStatus.BAD_GATEWAY)

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _STATIC:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return Response((templates_directory() / "preview" / name).read_bytes(), media_type=_STATIC[name])

    return LocalOnly(app, token)


def _mail(service: PreviewService, query: dict[str, Any]) -> HTMLResponse:
    """Return the email for the frame: without scripts, forms or fonts, and with images only if enabled."""
    options = parse_options(query)
    email = service.render(options).email
    sources = "https: http: data:" if options.images else "'none'"
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {sources}; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    )
    return HTMLResponse(
        with_color_scheme(email.html, options.palette) if email else "",
        status_code=HTTPStatus.OK if email else HTTPStatus.NOT_FOUND,
        headers={"Content-Security-Policy": policy},
    )
