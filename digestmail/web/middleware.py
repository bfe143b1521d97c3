"""Middleware for all requests: path prefix, HEAD, link repair and security headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digestmail.web.link_repair import repair_link

_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"


def _no_nul(query: bytes) -> bytes:
    return query.replace(b"%00", quote(_REPLACED).encode())


def security_headers(*, thumbnails: bool) -> dict[str, str]:
    """Return the security headers of every response.

    Scripts and inline styles are not allowed. Only images may come from other hosts, with `thumbnails`. Pages cannot be
    framed, and their URLs are not sent to other sites.
    """
    pictures = "'self' https:" if thumbnails else "'self'"
    policy = (
        f"default-src 'none'; style-src 'self'; img-src {pictures}; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }


class RequestMiddleware:
    """ASGI middleware that handles the prefix and HEAD requests, repairs links from emails, and adds the headers.

    NUL in a URL becomes the replacement character, because PostgreSQL does not accept it.
    """

    def __init__(self, app: ASGIApp, *, prefix: str, headers: Mapping[str, str]) -> None:
        """Wrap `app`. `prefix` is empty or like `/papers`."""
        self._app = app
        self._prefix = prefix
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        scope = {
            **scope,
            "path": scope["path"].replace("\0", _REPLACED),
            "query_string": _no_nul(scope["query_string"]),
        }
        inner = {**scope, **self._paths(scope), "method": "GET" if head else scope["method"]}

        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app(inner, receive, add_headers)

    def _paths(self, scope: Scope) -> dict[str, str]:
        """Return path and root path according to ASGI, whether or not the proxy removed the prefix."""
        path = scope["path"]
        if not self._prefix:
            return {"path": repair_link(path)}
        under = path == self._prefix or path.startswith(f"{self._prefix}/")
        path = path if under else self._prefix + path
        # `/papers` is also the home page.
        inside = repair_link(path.removeprefix(self._prefix) or "/")
        return {"root_path": self._prefix, "path": self._prefix + inside}
