"""The client of an API that gets JSON by POST and answers with JSON: one address, one key, no redirects."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, Self

import httpcore2

from digestmail.clock import Clock
from digestmail.errors import SourceError, SourceRefusedError, SourceThrottledError, SourceUnreadableError
from digestmail.sources.http.body import ACCEPTED_CODINGS
from digestmail.sources.http.connections import Connections
from digestmail.sources.http.failures import proxy_failure, status_failure, translated_errors
from digestmail.sources.http.host_limits import HostLimits
from digestmail.sources.http.network import Budget
from digestmail.sources.http.proxies import ProxyServer
from digestmail.sources.http.request import request_url
from digestmail.sources.http.response import body_of, header_values
from digestmail.sources.http.retry_after import wished_wait
from digestmail.sources.http.ssrf import Target, parse_target

_THROTTLED: Final = frozenset({429, 503})
_DEFAULT_PAUSE: Final = 300.0
"""Seconds without requests after a refusal for too many of them that names no time."""
_LONGEST_SLEEP: Final = 10.0
"""Seconds to wait for the host, which may also serve a feed."""
_LONGEST_CONNECT: Final = 5.0
"""Seconds until a host that does not respond counts as down, so that a run does not wait for it."""
_MOST_BYTES_OF_ERROR: Final = 64 * 1024
_LONGEST_REASON: Final = 200
_SHORTEST_SECRET: Final = 4


class JsonEndpoint:
    """Sends one request at a time to an address that the operator named. Close it, or use it in a `with` statement."""

    def __init__(  # noqa: PLR0913 - keyword-only, each a limit or a collaborator
        self,
        *,
        table: str,
        address: str,
        api_key: str | None,
        timeout: float,
        max_body_bytes: int,
        clock: Clock,
        host_limits: HostLimits,
        user_agent: str,
        proxy: ProxyServer | None = None,
        min_interval: float = 0.0,
        key_header: str = "Authorization",
        key_file: str = "api_key_file",
    ) -> None:
        """Connect to nothing yet. The operator named `address`, so it may be in a private network.

        `table` and `key_file` are named in errors. `timeout` is in seconds, for one request, and `min_interval` the
        seconds between two. The key is sent as a bearer token (RFC 6750 section 2.1), or alone in another `key_header`.
        `proxy` is what requests go through; None if they are direct.
        """
        self.target = parse_target(address)
        self._table = table
        self._api_key = api_key
        self._timeout = timeout
        self._max_body_bytes = max_body_bytes
        self._clock = clock
        self._host_limits = host_limits
        self._user_agent = user_agent
        self._proxy = proxy
        self._min_interval = min_interval
        self._key_header = key_header
        self._key_file = key_file
        self._budget = Budget(clock)
        self._connections = Connections(self._budget, user_agent, longest_connect=_LONGEST_CONNECT)
        self._connections.allow(None)

    def __enter__(self) -> Self:
        """Return the endpoint itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def post(self, value: Any, *, timeout: float | None = None) -> bytes:
        """Send `value` as JSON and return the body of the answer with the status 200.

        `timeout` replaces that of the constructor. Redirects are not followed, because they would carry texts and key
        elsewhere. Raises SourceError: throttled (429, 503, or the endpoint asked for a pause that is not over),
        unavailable (other 5xx, no answer in time), refused (other 4xx) or unreadable (a body too large or damaged).
        """
        self._wait_for_host()
        body = json.dumps(value).encode()
        seconds = self._timeout if timeout is None else timeout
        self._budget.start(seconds)
        target = self.target
        with (
            translated_errors(target, self._proxy, seconds),
            self._connections.pool(self._proxy).stream(
                "POST",
                request_url(target, self._proxy),
                headers=self._headers(len(body)),
                content=body,
                extensions={"sni_hostname": target.host},
            ) as response,
        ):
            if response.status != HTTPStatus.OK:
                raise self._failure(response)
            return body_of(response, header_values(response), target, self._max_body_bytes)

    def _wait_for_host(self) -> None:
        now = self._clock.now()
        wait = (self._host_limits.reserve(self.target.host, now, self._min_interval) - now).total_seconds()
        if 0 < wait <= _LONGEST_SLEEP:
            self._clock.sleep(wait)
        elif wait > 0:
            raise SourceThrottledError(
                f"{self.target.host} asked for a pause of another {math.ceil(wait)} seconds", retry_after=wait
            )

    def _headers(self, length: int) -> list[tuple[bytes, bytes]]:
        headers = {
            "Host": self.target.authority,
            "User-Agent": self._user_agent,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED_CODINGS,
            "Content-Type": "application/json",
            "Content-Length": str(length),
        }
        if self._api_key:
            bearer = "Bearer " if self._key_header == "Authorization" else ""
            headers[self._key_header] = f"{bearer}{self._api_key}"
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]

    def _failure(self, response: httpcore2.Response) -> SourceError:
        """Return the error for an answer that is no success; a server that asks for a pause gets it."""
        status, headers = response.status, header_values(response)
        if status in _THROTTLED:
            now = self._clock.now()
            wished = wished_wait(headers, now)
            wait = _DEFAULT_PAUSE if wished is None else wished
            self._host_limits.block(self.target.host, now + timedelta(seconds=wait))
            why = f"{self.target.shown} answered {status}: no requests for {math.ceil(wait)} seconds"
            return SourceThrottledError(why, retry_after=wait, status=status)
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and self._proxy is not None:
            return proxy_failure(self._proxy, str(status))
        if status == HTTPStatus.UNAUTHORIZED:
            hint = "is wrong" if self._api_key else f"is missing: set {self._key_file}"
            return status_failure(status, self.target, f"; the key in [{self._table}] {hint}")
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            where = f"; redirects are not followed: set {self._table}.url to the final address"
            return SourceRefusedError(f"{self.target.shown} answered {status}{where}", status=status)
        return status_failure(status, self.target, self._reason(response))

    def _reason(self, response: httpcore2.Response) -> str:
        """Return what the server says about its refusal, without the key, which some servers repeat."""
        try:
            limit = min(self._max_body_bytes, _MOST_BYTES_OF_ERROR)
            found = json.loads(body_of(response, header_values(response), self.target, limit))
        except (ValueError, RecursionError, SourceUnreadableError):
            return ""
        reason = said(found)
        if self._api_key and len(self._api_key) >= _SHORTEST_SECRET:
            reason = reason.replace(self._api_key, "(key)")
        line = "".join(one if one.isprintable() else " " for one in reason[:_LONGEST_REASON])
        return f": {line}" if line.strip() else ""


def said(found: Any) -> str:
    """Return the error message of an answer: `error.message`, `error`, `message` or `detail`; empty if none is text."""
    if not isinstance(found, dict):
        return ""
    message = next((found[key] for key in ("error", "message", "detail") if found.get(key)), None)
    message = message.get("message") if isinstance(message, dict) else message
    return message if isinstance(message, str) else ""


def unreadable(target: Target, phrase: object) -> SourceUnreadableError:
    """Return the error for an answer with the status 200 whose body is `phrase`."""
    return SourceUnreadableError(f"{target.shown} answered {phrase}", status=HTTPStatus.OK)
