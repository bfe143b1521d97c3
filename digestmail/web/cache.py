"""Answers that are the same for everybody, kept until what they show changes.

A route that calls `share` lets its answer be shared. Shared answers get an entity tag, and whoever has one already gets
304 (RFC 9110 section 13); the kept ones are also held in memory, up to a limit.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digestmail.clock import Clock

MOST_BYTES: Final = 32_000_000
_LONGEST_KEY: Final = 400
_LOOK_SECONDS: Final = 1.0
"""How old an answer may be: the database is asked at most so often whether something changed."""
_OLDEST_SECONDS: Final = 600.0
"""An answer is made anew after this time though nothing changed: forms carry a token that does not live for ever."""
_HTTP_OK: Final = 200
SHARED_SECONDS: Final = 60
"""For how long browsers and proxies may keep an answer that is the same for everybody."""
_Header = tuple[bytes, bytes]
_Key = tuple[str, ...]


class Sharing(Enum):
    """How an answer is shared."""

    TAGGED = auto()
    """It is made anew each time."""
    KEPT = auto()
    """It stays in memory until what it shows changes."""


def share(request: Request, how: Sharing) -> None:
    """Let everybody who asks for the same get the answer to `request`."""
    request.state.shared = how


def cache_headers(request: Request, status: int = _HTTP_OK) -> dict[str, str]:
    """Return the header fields that say who may keep it: everybody if it is shared, nobody if not or on an error."""
    public = status == _HTTP_OK and hasattr(request.state, "shared")
    return PUBLIC if public else {"Cache-Control": "no-store"}


PUBLIC: Final = {"Cache-Control": f"public, max-age={SHARED_SECONDS}"}


@dataclass(frozen=True, slots=True)
class _Answer:
    headers: tuple[_Header, ...]
    body: bytes
    etag: bytes
    made_at: float


class Answers:
    """ASGI middleware that keeps shared answers. Used from the event loop only."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        version: Callable[[], str],
        clock: Clock,
        any_host: bool,
        language: Callable[[str], str],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Stand before `app`. `version` may block; answers are kept while it returns the same.

        With `any_host` pages do not depend on the host they are asked under. `language` maps Accept-Language fields to
        one of the few languages of the pages: answers that vary by language are kept once for each.
        """
        self._app = app
        self._version_of = version
        self._clock = clock
        self._any_host = any_host
        self._language = language
        self._most_bytes = most_bytes
        self._version = ""
        self._looked_at: float | None = None
        self._bytes = 0
        self._answers: OrderedDict[_Key, _Answer] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory, or ask the app."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        await self._look()
        key = self._key(scope, headers)
        key = (*key, self._language(headers.get("accept-language", "")))
        kept = self._answers.get(key) or self._answers.get(_any_language(key))
        if kept is not None and self._clock.monotonic() - kept.made_at < _OLDEST_SECONDS:
            self._answers.move_to_end(key if key in self._answers else _any_language(key))
            await _send(kept, headers, send)
            return
        await self._ask(scope, receive, send, key, headers)

    async def _look(self) -> None:
        now = self._clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        version = await run_sync(self._version_of)
        if version != self._version:
            self._version = version
            self._answers.clear()
            self._bytes = 0

    def _key(self, scope: Scope, headers: Mapping[str, str]) -> _Key:
        where = () if self._any_host else (str(scope.get("scheme")), headers.get("host", ""))
        return (*where, str(scope["path"]), scope["query_string"].decode("latin-1"))

    async def _ask(self, scope: Scope, receive: Receive, send: Send, key: _Key, headers: Headers) -> None:
        """Let the app answer; hold back what is to be shared until it is whole."""
        state: dict[str, object] = scope.setdefault("state", {})
        version = self._version
        start: Message | None = None
        body: list[bytes] = []

        async def answer(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == _HTTP_OK and "shared" in state:
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                body.append(message.get("body", b""))
                if not message.get("more_body", False):
                    made = _made(start["headers"], b"".join(body), self._clock.monotonic())
                    if state["shared"] is Sharing.KEPT and version == self._version:
                        self._keep(key if _varies(made) else _any_language(key), made)
                    await _send(made, headers, send)

        await self._app(scope, receive, answer)

    def _keep(self, key: _Key, answer: _Answer) -> None:
        if len(answer.body) > self._most_bytes // 10 or sum(map(len, key)) > _LONGEST_KEY:
            return
        old = self._answers.pop(key, None)
        self._bytes -= len(old.body) if old else 0
        self._answers[key] = answer
        self._bytes += len(answer.body)
        while self._bytes > self._most_bytes:
            _, oldest = self._answers.popitem(last=False)
            self._bytes -= len(oldest.body)


def _any_language(key: _Key) -> _Key:
    """Return the key of an answer that is the same in every language, such as a feed."""
    return (*key[:-1], "*")


def _varies(answer: _Answer) -> bool:
    return any(name == b"vary" and b"accept-language" in value.lower() for name, value in answer.headers)


def _made(headers: list[_Header], body: bytes, now: float) -> _Answer:
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'.encode()
    return _Answer(headers=(*headers, (b"etag", etag)), body=body, etag=etag, made_at=now)


async def _send(answer: _Answer, headers: Mapping[str, str], send: Send) -> None:
    asked = headers.get("if-none-match")
    same = asked is not None and (asked.strip() == "*" or answer.etag.decode() in _tags(asked))
    left = [pair for pair in answer.headers if not same or pair[0] not in {b"content-length", b"content-type"}]
    await send({"type": "http.response.start", "status": 304 if same else _HTTP_OK, "headers": left})
    await send({"type": "http.response.body", "body": b"" if same else answer.body})


def _tags(field: str) -> set[str]:
    """Return the tags of If-None-Match; a weak one is as good (RFC 9110 section 13.1.2)."""
    return {tag.strip().removeprefix("W/") for tag in field.split(",")}
