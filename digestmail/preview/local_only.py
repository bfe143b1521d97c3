"""Restricts the preview to the browser in which it was opened.

The URL contains a random token, so other programs and pages cannot use it. The Host header must be a loopback name,
which prevents DNS rebinding. The headers of every response disable browser features that the page does not need.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digestmail.text.credentials import matches

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class LocalOnly:
    """ASGI middleware that checks the Host header and the token, and removes the token from the path."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        """`token` is the first path segment: letters, digits, `-` and `_`. Raises ValueError if it is empty."""
        if not token:
            raise ValueError("the preview token is empty")
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3). WebSockets are not supported."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await PlainTextResponse(refusal.phrase, status_code=refusal)(scope, receive, send)
            return
        _, rest = _split(scope)
        await self._app({**scope, "path": rest, "raw_path": rest.encode()}, receive, _hardened(send))

    def _refusal(self, scope: Scope) -> HTTPStatus | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _hostname(f"//{host}") not in LOOPBACK:
            return HTTPStatus.FORBIDDEN
        given, _ = _split(scope)
        if not matches(given, self._token):
            return HTTPStatus.NOT_FOUND
        origin = headers.get("origin")
        if scope["method"] not in {"GET", "HEAD"} and origin is not None and origin != f"http://{host}":
            return HTTPStatus.FORBIDDEN
        return None


def _split(scope: Scope) -> tuple[str, str]:
    """Return the first segment of the path, and the rest including its slash."""
    token, slash, rest = str(scope["path"]).removeprefix("/").partition("/")
    return token, slash + rest


def _hostname(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _hardened(send: Send) -> Send:
    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _ALWAYS.items():
                headers[name] = value
            headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        await send(message)

    return hardened
