"""The guard: nobody but the browser it was opened in gets anything from the preview.

The address holds a random token, so no other program or page can ask; the Host header has to name loopback, so no name
that was made to point here (DNS rebinding) can; and every answer forbids the browser all that the page does not need.
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
    """Lets a request through when it names loopback and knows the token, without the token in its path."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        """`token` is the first segment of every path; letters, digits, `-` and `_`. An empty one is a ValueError."""
        if not token:
            raise ValueError("the token of the preview is empty")
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3). Websockets are not spoken."""
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
    """Return the first segment of the path, and what follows from the slash on."""
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
