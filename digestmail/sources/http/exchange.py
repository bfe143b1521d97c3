"""Single HTTP requests of any method, to addresses that the operator configured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from digestmail.clock import Clock
from digestmail.sources.http.body import ACCEPTED_CODINGS
from digestmail.sources.http.connections import Connections
from digestmail.sources.http.failures import translated_errors
from digestmail.sources.http.network import Budget
from digestmail.sources.http.proxies import Proxies, ProxyServer
from digestmail.sources.http.request import request_url
from digestmail.sources.http.response import body_of, header_values
from digestmail.sources.http.ssrf import Target, parse_target
from digestmail.text.hosts import is_local


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A response of any status."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> Any:
        """Return the body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request with all its headers."""

    method: str
    target: Target
    headers: Mapping[str, str]
    content: bytes | None = None


def exchange(
    connections: Connections,
    proxy: ProxyServer | None,
    request: HttpRequest,
    *,
    timeout: float,
    max_body_bytes: int,
    is_body_needed: Callable[[HttpResponse], bool] = lambda _: True,
) -> HttpResponse:
    """Send a request; return the response, whatever its status is. Redirects are not followed.

    `timeout` is what errors name; the time limit is that of `connections`. Raises SourceError if there is no response
    in time, or one that is damaged or too large.
    """
    with (
        translated_errors(request.target, proxy, timeout),
        connections.pool(proxy).stream(
            request.method,
            request_url(request.target, proxy),
            headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers.items()],
            content=request.content,
            extensions={"sni_hostname": request.target.host},
        ) as response,
    ):
        fields = header_values(response)
        found = HttpResponse(status=response.status, headers=fields, body=b"")
        if request.method == "HEAD" or not is_body_needed(found):
            return found
        return replace(found, body=body_of(response, fields, request.target, max_body_bytes))


class HttpExchange:
    """Sends requests, each over a connection of its own."""

    def __init__(
        self, *, clock: Clock, user_agent: str, proxies: Proxies, timeout: float, max_body_bytes: int = 256 * 1024
    ) -> None:
        """Store the settings. `timeout` is in seconds, for one request with its response."""
        self._clock = clock
        self._user_agent = user_agent
        self._proxies = proxies
        self._timeout = timeout
        self._max_body_bytes = max_body_bytes

    def send(self, method: str, url: str, *, form: bytes | None = None, accept: str = "*/*") -> HttpResponse:
        """Send a request, with `form` as its urlencoded body; return the response, whatever its status is.

        The operator configured `url`, so it may be private. Redirects are not followed, because they could carry a
        secret elsewhere. Raises SourceError if there is no response in time, or one that is damaged or too large.
        """
        target = parse_target(url)
        proxy = None if is_local(target.host) else self._proxies.of(target)
        budget = Budget(self._clock)
        connections = Connections(budget, self._user_agent)
        connections.allow(None)
        headers = {
            "Host": target.authority,
            "User-Agent": self._user_agent,
            "Accept": accept,
            "Accept-Encoding": ACCEPTED_CODINGS,
        }
        if form is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(form))}
        budget.start(self._timeout)
        try:
            request = HttpRequest(method=method, target=target, headers=headers, content=form)
            return exchange(connections, proxy, request, timeout=self._timeout, max_body_bytes=self._max_body_bytes)
        finally:
            connections.close()
