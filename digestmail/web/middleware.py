"""What happens to every request before it is routed: prefix, HEAD, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digestmail.web.link_repair import mended

_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"


def _no_nul(query: bytes) -> bytes:
    return query.replace(b"%00", quote(_REPLACED).encode())


def security_headers(*, thumbnails: bool) -> dict[str, str]:
    """Return the headers of every answer.

    No script and no inline style runs, nothing is loaded from elsewhere but, with `thumbnails`, pictures; no other
    page may frame ours, and the address of a page stays with us when a link is followed.
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


class Front:
    """ASGI middleware: takes the prefix as root path, answers HEAD like GET without a body, adds the headers.

    Links from mails are mended, see `links.mended`.

    NUL in an address becomes the replacement character: PostgreSQL refuses it in any text.
    """

    def __init__(self, app: ASGIApp, *, prefix: str, headers: Mapping[str, str]) -> None:
        """Stand before `app`; `prefix` is empty or like `/papers`."""
        self._app = app
        self._prefix = prefix
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        scope = {
            **scope,
            "path": scope["path"].replace("\0", _REPLACED),
            "query_string": _no_nul(scope["query_string"]),
        }
        inner = {**scope, **self._rooted(scope), "method": "GET" if head else scope["method"]}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app(inner, receive, answer)

    def _rooted(self, scope: Scope) -> dict[str, str]:
        """Return path and root path as ASGI wants them, whether the proxy took the prefix off or left it on."""
        path = scope["path"]
        if not self._prefix:
            return {"path": mended(path)}
        under = path == self._prefix or path.startswith(f"{self._prefix}/")
        path = path if under else self._prefix + path
        # `/papers` is the home page too.
        inside = mended(path.removeprefix(self._prefix) or "/")
        return {"root_path": self._prefix, "path": self._prefix + inside}
