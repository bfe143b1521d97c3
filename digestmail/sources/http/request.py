"""The request that a fetch sends: its target, its conditions and its header fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpcore2

from digestmail.model.papers import Validators
from digestmail.sources.http.body import ACCEPTED_CODINGS
from digestmail.sources.http.cookies import Cookies
from digestmail.sources.http.proxies import ProxyServer
from digestmail.sources.http.ssrf import Allowance, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """What one call of `fetch` asks for. It holds for all requests that follow, redirects and retries."""

    url: str
    target: Target
    accept: str
    min_interval: float
    """Seconds between two requests to a host."""
    known: Validators
    allowed: Allowance
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header fields of this fetch, sent only to the origin that it began at."""
    cookies: Cookies = field(default_factory=Cookies)

    @property
    def is_conditional(self) -> bool:
        """Whether "304 Not Modified" is an answer to it."""
        return self.known != Validators() or any(name.lower().startswith("if-") for name in self.headers)


def request_url(target: Target, proxy: ProxyServer | None) -> httpcore2.URL:
    """Return the address for the HTTP library; for a proxy an IPv6 address needs its brackets."""
    host = f"[{target.host}]" if proxy and ":" in target.host else target.host
    return httpcore2.URL(scheme=target.scheme, host=host, port=target.given_port, target=target.resource)


def request_headers(
    target: Target, request: FetchRequest, user_agent: str, own: Mapping[str, str]
) -> list[tuple[bytes, bytes]]:
    """Return the header fields of a request to `target`.

    `own` are the fields that the operator configured. They and those of the fetch may contain passwords, so they are
    sent only to the origin that the fetch began at. They replace fields of the same name; a cookie is added to.
    """
    headers = {
        "Host": target.authority,
        "User-Agent": user_agent,
        "Accept": request.accept,
        "Accept-Encoding": ACCEPTED_CODINGS,
    }
    # RFC 9110 section 13.1. The bytes of a header are decoded as latin-1, and encoded as latin-1 again.
    if request.known.etag:
        headers["If-None-Match"] = request.known.etag
    if request.known.last_modified:
        headers["If-Modified-Since"] = request.known.last_modified
    # https://www.zotero.org/support/dev/web_api/v3/syncing#version_numbers
    if request.known.version:
        headers["If-Modified-Since-Version"] = request.known.version
    own = {**own, **request.headers} if target.origin == request.target.origin else {}
    replaced = {name.lower() for name in own}
    headers = {name: value for name, value in headers.items() if name.lower() not in replaced} | dict(own)
    if cookie := request.cookies.header(target):
        name = next((name for name in own if name.lower() == "cookie"), "Cookie")
        headers[name] = f"{headers[name]}; {cookie}" if name in headers else cookie
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
