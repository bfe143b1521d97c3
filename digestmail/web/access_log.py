"""The access log. It never contains tokens, addresses of people or search terms."""

from __future__ import annotations

import logging
import re
from typing import Final
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digestmail.clock import Clock

log = logging.getLogger("digestmail.web.access")

_LONGEST: Final = 200
_PERSONAL = re.compile(
    r"(address|confirm|erase|feedback|for-you|preferences|undo|unsubscribe|subscribers|suppressions).+?"
    r"(/(?:address|pause|erase|feedback|interests(?:/(?:clear|file|list|remove))?|data|data\.json|feed\.atom|feed\.json))?",
    re.IGNORECASE | re.DOTALL,
)
"""Tokens and addresses follow these words, even if a mail program changed the link."""


def loggable(path: str) -> str:
    """Return the path of a request for the log: as one line, without tokens and addresses. Pure."""
    found = _PERSONAL.search(path)
    if found and (match := _PERSONAL.fullmatch(path, found.start())):
        path = f"{path[: found.start()]}{match[1]}/-{match[2] or ''}"
    return quote(path[:_LONGEST], safe="/:@!$&'()*+,;=~")


class AccessLog:
    """ASGI middleware that logs each request: method, path, status and duration."""

    def __init__(self, app: ASGIApp, *, clock: Clock) -> None:
        """Wrap `app`. Must be the outermost middleware."""
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_at, status = self._clock.monotonic(), 500  # the server's status if the app does not respond

        async def record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, record_status)
        finally:
            spent = round((self._clock.monotonic() - started_at) * 1000)
            log.info("method=%s path=%s status=%d ms=%d", scope["method"], loggable(scope["path"]), status, spent)
