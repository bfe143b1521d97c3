"""Error responses: an HTML page, or `application/problem+json` (RFC 9457) in the API."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digestmail.errors import StorageError
from digestmail.web.access_log import loggable
from digestmail.web.operator.session import SignInNeededError, sign_in_page
from digestmail.web.pages import page, sentence, translate

log = logging.getLogger("digestmail.web")

_OUTAGE_SECONDS: Final = 60.0


def problem(status: int, detail: str, **more: Any) -> JSONResponse:
    """Return a problem document (RFC 9457). Its type is `about:blank`, so the title is the phrase of the status."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"}, media_type="application/problem+json")


class Outages:
    """Logs why the database did not answer: the same reason at most once a minute, so that visitors fill no log."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing was logged yet. `monotonic` returns seconds."""
        self._monotonic = monotonic
        self._reason = ""
        self._at = -math.inf
        self._left_out = 0

    def add(self, path: str, reason: str) -> None:
        """Log that a request for `path` failed for `reason`, or count it for the next line."""
        now = self._monotonic()
        if reason == self._reason and now - self._at < _OUTAGE_SECONDS:
            self._left_out += 1
            return
        more = f" ({self._left_out} more requests failed since the last line)" if self._left_out else ""
        log.error("path=%s error=%r%s", path, reason, more)
        self._reason, self._at, self._left_out = reason, now, 0


def register(web: FastAPI) -> None:
    """Register the error handlers of `web`."""
    outages = Outages()

    @web.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        response = _error_response(request, error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @web.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        wrong = [{"at": ".".join(map(str, one["loc"])), "says": one["msg"]} for one in error.errors()]
        if _is_api(request):
            return problem(422, "the request does not match the API schema", errors=wrong)
        return _error_response(request, 400, "the request cannot be read")

    @web.exception_handler(SignInNeededError)
    async def sign_in(request: Request, _error: SignInNeededError) -> Response:
        return sign_in_page(request, status=200 if request.scope["method"] in _SAFE else 403)

    @web.exception_handler(StorageError)
    async def broken(request: Request, error: StorageError) -> Response:
        outages.add(loggable(request.scope["path"]), str(error))
        detail = _UNAVAILABLE if request.scope["method"] in _SAFE else _NOT_SAVED
        response = _error_response(request, 503, detail)
        response.headers["Retry-After"] = _RETRY_AFTER
        return response

    @web.exception_handler(ClientDisconnect)
    async def aborted(_request: Request, _error: ClientDisconnect) -> Response:
        # Nobody reads this; it is the status in the access log.
        return Response(status_code=400)


class UnexpectedErrors:
    """ASGI middleware for unexpected errors. They are logged with a number, and only the number is shown."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`. Must be inside the middleware that adds headers."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3)."""
        started = False

        async def forward(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, forward)
        except Exception:  # around one request, so that a bug does not stop the server
            if started or scope["type"] != "http":
                raise
            number = secrets.token_hex(4)
            path = loggable(scope["path"])
            log.exception("request=%s method=%s path=%s status=500", number, scope["method"], path)
            await _unexpected(Request(scope), number)(scope, receive, send)


def _unexpected(request: Request, number: str) -> Response:
    if _is_api(request):
        return problem(500, "an unexpected error occurred; it was logged with this request number", request=number)
    return _error_response(request, 500, "the error was logged with the number %(number)s", number=number)


def _is_api(request: Request) -> bool:
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return str(path).startswith("/api/")


def _error_response(request: Request, status: int, detail: str, **values: object) -> Response:
    if _is_api(request):
        return problem(status, detail % values if values else detail)
    if status in set(HTTPStatus) and detail == HTTPStatus(status).phrase:
        detail = _DETAILS.get(status, _marked("the server cannot process this request"))
    # Without a form, because its token needs the database, which may be unavailable.
    return page(
        request,
        "error.html",
        status=status,
        title=translate(request, _TITLES.get(status, _marked("Error"))),
        detail=sentence(translate(request, detail, **values)),
        form_token="",
    )


def _marked(text: str) -> str:
    """Return `text`. The call marks it for translation."""
    return text


_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_RETRY_AFTER: Final = "60"
_UNAVAILABLE: Final = _marked("the database is not available; please try again later")
_NOT_SAVED: Final = _marked("nothing was saved, because the database is not available; please try again in a minute")
_TITLES: Final = {
    400: _marked("Bad request"),
    404: _marked("Page not found"),
    405: _marked("Method not allowed"),
    413: _marked("Request too large"),
    429: _marked("Too many requests"),
    500: _marked("Something went wrong"),
    503: _marked("Temporarily unavailable"),
}
_DETAILS: Final = {
    404: _marked("there is no page at this address"),
    405: _marked("this page does not accept that kind of request"),
}
"""Details for errors that Starlette raises without any."""
