"""The HTTP client of all sources: limited in time and size, polite to servers, and guarded against private hosts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from random import Random
from typing import Self

import httpcore2

from digestmail.clock import Clock
from digestmail.errors import SourceRefusedError, SourceThrottledError
from digestmail.model.papers import Validators
from digestmail.sources.base import NO_HEADERS, Answer
from digestmail.sources.http.challenge import challenge_of
from digestmail.sources.http.connections import Connections
from digestmail.sources.http.failures import proxy_failure, status_failure, translated_errors
from digestmail.sources.http.host_limits import HostLimits
from digestmail.sources.http.host_locks import HostLocks
from digestmail.sources.http.network import Budget
from digestmail.sources.http.proxies import Proxies, ProxyServer
from digestmail.sources.http.request import FetchRequest, request_headers, request_url
from digestmail.sources.http.response import answer_of, body_of, header_values, redirect_of, set_cookies
from digestmail.sources.http.retries import RetryPolicy
from digestmail.sources.http.retry_after import backoff, wished_wait
from digestmail.sources.http.ssrf import PrivateHosts, Target, check_name, parse_target

log = logging.getLogger("digestmail.http")

_MOST_REDIRECTS = 5
_THROTTLED = frozenset({429, 503})


class Http:
    """Fetches for one source, one fetch at a time; a `Fetcher`. Close it, or use it in a `with`."""

    def __init__(  # noqa: PLR0913 - keyword-only, each a limit or a collaborator
        self,
        *,
        clock: Clock,
        host_limits: HostLimits,
        validators: Callable[[str], Validators],
        user_agent: str,
        timeout: float,
        max_body_bytes: int,
        random: Random,
        private: PrivateHosts | None = None,
        proxies: Proxies | None = None,
        headers: Mapping[str, str] | None = None,
        locks: HostLocks | None = None,
        max_wait: float = 60.0,
    ) -> None:
        """Open nothing yet.

        `clock` gives real time, for host limits and timeouts alike. `validators` looks up what was stored for an
        address. `timeout` is in seconds, for a complete fetch: redirects, retries and body, but not the waiting for
        host limits, which may take `max_wait` seconds for each request. `max_body_bytes` holds before and after
        unpacking. `headers` are sent in ASCII, and only to the origin that a fetch begins at: they may contain
        passwords. Clients that share `locks` never send two requests to one host at the same time.
        """
        self._clock = clock
        self._host_limits = host_limits
        self._validators = validators
        self._user_agent = user_agent
        self._timeout = timeout
        self._max_body_bytes = max_body_bytes
        self._random = random
        self._private = private or PrivateHosts()
        self._proxies = proxies or Proxies()
        self._own_headers = dict(headers or {})
        self._locks = locks or HostLocks()
        self._max_wait = max_wait
        self._budget = Budget(clock)
        self._connections = Connections(self._budget, user_agent)

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connections that were kept open."""
        self._connections.close()

    def fetch(
        self,
        url: str,
        *,
        accept: str,
        min_interval: float = 1.0,
        conditional: bool = True,
        retry_empty: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Answer:
        """Fetch `url` as soon as the limit of its host allows; see `Fetcher.fetch`.

        Errors carry the HTTP status if there was one. Raises SourceThrottledError (429, 503, or a host blocked for
        longer than `max_wait`), SourceUnavailableError (other 5xx, no connection, no answer in time),
        SourceRefusedError (other 4xx, addresses and redirects against the rules) or SourceUnreadableError (any other
        status, a body too large or damaged).
        """
        known = self._validators(url) if conditional else Validators()
        target = parse_target(url)
        allowed = self._private.reachable_from(target)
        self._connections.allow(allowed)
        request = FetchRequest(
            url=url,
            target=target,
            accept=accept,
            min_interval=min_interval,
            known=known,
            allowed=allowed,
            headers=headers,
        )
        self._budget.start(self._timeout)
        answer = self._try(request)
        if retry_empty and answer.body == b"":
            answer = self._try(request)
        return answer

    def _try(self, request: FetchRequest) -> Answer:
        """Send requests until there is an answer, or a failure that retrying does not help."""
        retrying = RetryPolicy(self._budget, self._random).retrying(self._clock.sleep)
        return retrying(self._follow, request)

    def _follow(self, request: FetchRequest) -> Answer:
        target = request.target
        for _ in range(1 + _MOST_REDIRECTS):
            outcome = self._send(target, request)
            if isinstance(outcome, Answer):
                return outcome
            target = outcome
        raise SourceRefusedError(f"{request.target.shown} was redirected more than {_MOST_REDIRECTS} times")

    def _send(self, target: Target, request: FetchRequest) -> Answer | Target:
        """Send one request. Returns the next target if the response is a redirect."""
        proxy = self._proxy(target, request)
        pool, url = self._connections.pool(proxy), request_url(target, proxy)
        with self._budget.paused():
            lock = self._locks.acquire(target.host)
        try:
            self._wait_for_host(target, request.min_interval)
            headers = request_headers(target, request, self._user_agent, self._own_headers)
            extensions = {"sni_hostname": target.host}
            with (
                translated_errors(target, proxy, self._timeout),
                pool.stream("GET", url, headers=headers, extensions=extensions) as response,
            ):
                log.debug("host=%s status=%d", target.host, response.status)
                return self._read(response, target, request, proxy)
        finally:
            lock.release()

    def _proxy(self, target: Target, request: FetchRequest) -> ProxyServer | None:
        """Return the proxy to `target`. Hosts that the operator allowed are connected to directly, and checked.

        Raises SourceRefusedError for hosts whose name says that they are private.
        """
        if (target.host, target.port) in request.allowed.places:
            return None
        proxy = self._proxies.of(target)
        if proxy is not None:
            check_name(target.host)
        return proxy

    def _wait_for_host(self, target: Target, min_interval: float) -> None:
        with self._budget.paused():
            now = self._clock.now()
            wait = (self._host_limits.reserve(target.host, now, min_interval) - now).total_seconds()
            if wait > self._max_wait:
                raise SourceThrottledError(f"{target.host} may not be asked for {wait:.0f} seconds", retry_after=wait)
            if wait > 0:
                self._clock.sleep(wait)

    def _read(
        self, response: httpcore2.Response, target: Target, request: FetchRequest, proxy: ProxyServer | None
    ) -> Answer | Target:
        status, headers = response.status, header_values(response)
        request.cookies.keep(target, set_cookies(response))
        if redirect := redirect_of(status, headers, target):
            return redirect
        if challenge := challenge_of(status, headers, response.iter_stream, self._max_body_bytes):
            raise SourceRefusedError(f"{target.shown} answered {status} with {challenge}", status=status)
        if status in _THROTTLED:
            raise self._throttled(status, headers, target)
        self._respect_backoff(headers, target)
        if status == HTTPStatus.OK:
            return answer_of(headers, body_of(response, headers, target, self._max_body_bytes), target, request)
        if status == HTTPStatus.NOT_MODIFIED and request.is_conditional:
            return answer_of(headers, None, target, request)
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and proxy is not None:
            raise proxy_failure(proxy, str(status))
        raise status_failure(status, target, self._hint(status, target, request))

    def _hint(self, status: int, target: Target, request: FetchRequest) -> str:
        """Return what to do about a refused login; no part of the login is in it."""
        if status != HTTPStatus.UNAUTHORIZED:
            return ""
        if not self._own_headers:
            return "; set username and password_file, or headers, of this source"
        if target.origin == request.target.origin:
            return "; the login of this source is wrong"
        return f"; the login of this source is sent only to {request.target.origin}: change its address"

    def _respect_backoff(self, headers: Mapping[str, str], target: Target) -> None:
        """Block the host for as long as a server under load asks, which it may do with any answer."""
        wait = backoff(headers)
        if wait is not None:
            now = self._clock.now()
            self._host_limits.block(target.host, now + timedelta(seconds=wait))

    def _throttled(self, status: int, headers: Mapping[str, str], target: Target) -> SourceThrottledError:
        """Block the host for as long as the server asks, and return the error that says so."""
        now = self._clock.now()
        wait = wished_wait(headers, now)
        if wait is not None:
            self._host_limits.block(target.host, now + timedelta(seconds=wait))
        return SourceThrottledError(f"{target.shown} wants fewer requests ({status})", retry_after=wait, status=status)
