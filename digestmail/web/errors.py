"""What goes wrong, told: a page for people, `application/problem+json` (RFC 9457) for programs."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from digestmail.errors import StorageError
from digestmail.web.pages import page

log = logging.getLogger("digestmail.web")


def problem(status: int, detail: str, **more: Any) -> JSONResponse:
    """Return a problem document (RFC 9457); its type is `about:blank`, so the title is the status's own phrase."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"}, media_type="application/problem+json")


def register(web: FastAPI) -> None:
    """Let errors of `web` be told this way."""

    @web.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        answer = _told(request, error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @web.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        wrong = [{"at": ".".join(map(str, one["loc"])), "says": one["msg"]} for one in error.errors()]
        if _is_api(request):
            return problem(422, "the request does not fit the description of the API", errors=wrong)
        return _told(request, 400, "that request cannot be read")

    @web.exception_handler(StorageError)
    async def broken(request: Request, error: StorageError) -> Response:
        log.error("path=%s error=%r", request.url.path, str(error))
        return _told(request, 503, "the database does not answer; try again in a while")


def _is_api(request: Request) -> bool:
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return str(path).startswith("/api/")


def _told(request: Request, status: int, detail: str) -> Response:
    if _is_api(request):
        return problem(status, detail)
    known = status in set(HTTPStatus)
    title = HTTPStatus(status).phrase if known else "Error"
    # Without a form: its token needs the database, which may be what is broken.
    return page(request, "error.html", status=status, title=title, detail=detail, form_token="")
