"""Cookies (RFC 6265): some servers set one and redirect to the same address, and do so for ever without it."""

from __future__ import annotations

from collections.abc import Iterable
from email.message import Message
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import cast
from urllib.request import Request

from digestmail.sources.http.ssrf import Target


class Cookies:
    """The cookies of one fetch: kept from one redirect to the next, and forgotten at the end."""

    def __init__(self) -> None:
        """Begin with none."""
        self._jar = CookieJar()

    def keep(self, target: Target, fields: Iterable[str]) -> None:
        """Keep what `target` set; `fields` are the values of Set-Cookie. What is not for its host is ignored."""
        headers = Message()
        for field in fields:
            headers["Set-Cookie"] = field
        self._jar.extract_cookies(cast("HTTPResponse", _Headers(headers)), Request(target.url))  # noqa: S310 - not opened

    def header(self, target: Target) -> str:
        """Return the value of the Cookie field for a request to `target`; empty if there is none."""
        request = Request(target.url)  # noqa: S310 - it is not opened, only asked for its parts
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie") or ""


class _Headers:
    """All that a cookie jar wants to know about a response."""

    def __init__(self, headers: Message) -> None:
        self._headers = headers

    def info(self) -> Message:
        return self._headers
