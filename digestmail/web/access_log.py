"""What of a request is written down: never a token, never an address of a person, never what was searched for."""

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
    r"(address|confirm|erase|preferences|undo|unsubscribe|subscribers|suppressions).+?"
    r"(/(?:address|pause|erase|data|data\.json))?",
    re.IGNORECASE | re.DOTALL,
)
"""Whose link it is, or whose address, however a mail program mangled the link: all behind these words."""


def loggable(path: str) -> str:
    """Return a request's path as a log may hold it: on one line, without what stands for a person. Pure."""
    found = _PERSONAL.search(path)
    if found and (whole := _PERSONAL.fullmatch(path, found.start())):
        path = f"{path[: found.start()]}{whole[1]}/-{whole[2] or ''}"
    return quote(path[:_LONGEST], safe="/:@!$&'()*+,;=~")


class AccessLog:
    """ASGI middleware that writes a line for each request: method, path, status, and how long the answer took."""

    def __init__(self, app: ASGIApp, *, clock: Clock) -> None:
        """Stand before everything else."""
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_at, status = self._clock.monotonic(), 500  # what the server says for us if nothing is answered

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            spent = round((self._clock.monotonic() - begun_at) * 1000)
            log.info("method=%s path=%s status=%d ms=%d", scope["method"], loggable(scope["path"]), status, spent)
