"""The one way to the network: polite to servers, distrustful of what they answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from random import Random
from typing import Protocol, Self

import httpcore2
from tenacity import RetryCallState, Retrying, retry_if_exception

from digestmail.clock import Clock
from digestmail.errors import (
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
)
from digestmail.model.papers import Validators
from digestmail.sources.base import Answer
from digestmail.sources.http.body import ACCEPTED_CODINGS, read_body
from digestmail.sources.http.challenge import challenge_of
from digestmail.sources.http.cookies import Cookies
from digestmail.sources.http.host_locks import HostLocks
from digestmail.sources.http.network import Budget, GuardedBackend, trust
from digestmail.sources.http.proxies import Proxies, ProxyServer
from digestmail.sources.http.retry_after import wished_wait
from digestmail.sources.http.ssrf import Allowance, PrivateHosts, Target, check_name, parse_target

log = logging.getLogger("digestmail.http")

_MOST_REDIRECTS = 5
_MOST_ATTEMPTS = 4
_KEEP_ALIVE_SECONDS = 30.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({500, 502, 504})
_THROTTLED = frozenset({429, 503})


class Gates(Protocol):
    """When the next request to a host may go out, over every process of the database."""

    def reserve(self, host: str, now: datetime, min_interval: float) -> datetime:
        """Book the next free moment (`now` or later) for one request to `host`, and return it.

        Whoever asks after this gets a moment at least `min_interval` seconds later; a closed host's first moment is
        when it opens again.
        """
        ...

    def close(self, host: str, until: datetime) -> None:
        """Let nobody ask `host` before `until`."""
        ...


class _PassingError(SourceUnavailableError):
    """Trouble that may be over a second later, within the same fetch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What one call of `fetch` asks for, over all its requests."""

    url: str
    target: Target
    accept: str
    min_interval: float
    known: Validators
    allowed: Allowance
    cookies: Cookies = field(default_factory=Cookies)


class Http:
    """Fetches for one source, one fetch at a time; a `Fetcher`. Close it, or use it in a `with`."""

    def __init__(  # noqa: PLR0913 - by name only, each a limit or a neighbour of its own
        self,
        *,
        clock: Clock,
        gates: Gates,
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

        `clock` tells real time, for gates and time-outs alike. `validators` looks up what was stored for an address.
        `timeout` is in seconds, for a whole fetch: redirects, retries and body, but not the waiting at gates, which
        may take `max_wait` seconds for each request. `max_body_bytes` holds before and after unpacking.
        `headers` are sent in ASCII, and only to the origin that a fetch begins at: they may contain passwords. Clients
        that share `locks` never send two requests to one host at the same time.
        """
        self._clock = clock
        self._gates = gates
        self._validators = validators
        self._user_agent = user_agent.encode()
        self._timeout = timeout
        self._max_body_bytes = max_body_bytes
        self._random = random
        self._private = private or PrivateHosts()
        self._proxies = proxies or Proxies()
        self._own_headers = dict(headers or {})
        self._locks = locks or HostLocks()
        self._max_wait = max_wait
        self._budget = Budget(clock)
        self._backend = GuardedBackend(self._budget)
        self._pools: dict[ProxyServer | None, httpcore2.ConnectionPool] = {}

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connections that were kept open."""
        for pool in self._pools.values():
            pool.close()

    def fetch(
        self, url: str, *, accept: str, min_interval: float = 1.0, conditional: bool = True, retry_empty: bool = False
    ) -> Answer:
        """Fetch `url` when its host's gate opens; see `Fetcher.fetch`.

        Errors carry the HTTP status when there was one. Raises SourceThrottledError (429, 503, or a gate closed for
        longer than `max_wait`), SourceUnavailableError (other 5xx, no connection, no answer in time),
        SourceRefusedError (other 4xx, addresses and redirects against the rules) or SourceUnreadableError (any other
        status, a body too large or damaged).
        """
        known = self._validators(url) if conditional else Validators()
        target = parse_target(url)
        allowed = self._private.reachable_from(target)
        self._backend.allow(allowed)
        wish = _Wish(url=url, target=target, accept=accept, min_interval=min_interval, known=known, allowed=allowed)
        self._budget.start(self._timeout)
        answer = self._insist(wish)
        if retry_empty and answer.body == b"":
            answer = self._insist(wish)
        return answer

    def _insist(self, wish: _Wish) -> Answer:
        """Ask until there is an answer, or no patience left."""
        patience = _Patience(self._budget, self._random)
        retrying = Retrying(
            sleep=self._clock.sleep,
            retry=retry_if_exception(_may_pass),
            wait=patience.wait,
            stop=patience.stop,
            reraise=True,
        )
        return retrying(self._follow, wish)

    def _follow(self, wish: _Wish) -> Answer:
        target = wish.target
        for _ in range(1 + _MOST_REDIRECTS):
            outcome = self._request(target, wish)
            if isinstance(outcome, Answer):
                return outcome
            target = outcome
        raise SourceRefusedError(f"{wish.target.shown} was redirected more than {_MOST_REDIRECTS} times")

    def _request(self, target: Target, wish: _Wish) -> Answer | Target:
        """Send one request. Returns where to go instead when the answer is a redirect."""
        proxy = self._proxy(target, wish)
        host = f"[{target.host}]" if proxy and ":" in target.host else target.host
        url = httpcore2.URL(scheme=target.scheme, host=host, port=target.given_port, target=target.resource)
        with self._budget.paused():
            lock = self._locks.acquire(target.host)
        try:
            self._pass_gate(target, wish.min_interval)
            with (
                self._translated(target, proxy),
                self._pool(proxy).stream(
                    "GET", url, headers=self._headers(target, wish), extensions={"sni_hostname": target.host}
                ) as response,
            ):
                log.debug("host=%s status=%d", target.host, response.status)
                return self._read(response, target, wish, proxy)
        finally:
            lock.release()

    def _proxy(self, target: Target, wish: _Wish) -> ProxyServer | None:
        """Return the proxy to `target`. What the operator opened is connected to directly, where it can be checked.

        Raises SourceRefusedError for hosts whose name says that they are private.
        """
        if (target.host, target.port) in wish.allowed.places:
            return None
        proxy = self._proxies.of(target)
        if proxy is not None:
            check_name(target.host)
        return proxy

    def _pool(self, proxy: ProxyServer | None) -> httpcore2.ConnectionPool:
        """Return the connections that go through `proxy`, or directly."""
        if proxy not in self._pools:
            backend, by_way_of = self._backend, None
            if proxy is not None:
                backend = GuardedBackend(self._budget)
                backend.allow(None)
                at = proxy.target
                by_way_of = httpcore2.Proxy(
                    httpcore2.URL(scheme=at.scheme, host=at.host, port=at.port, target="/"),
                    auth=proxy.login and (proxy.login[0].encode(), proxy.login[1].encode()),
                    headers=[(b"User-Agent", self._user_agent)],
                )
            self._pools[proxy] = httpcore2.ConnectionPool(
                ssl_context=trust(), proxy=by_way_of, network_backend=backend, keepalive_expiry=_KEEP_ALIVE_SECONDS
            )
        return self._pools[proxy]

    def _pass_gate(self, target: Target, min_interval: float) -> None:
        with self._budget.paused():
            now = self._clock.now()
            wait = (self._gates.reserve(target.host, now, min_interval) - now).total_seconds()
            if wait > self._max_wait:
                raise SourceThrottledError(f"{target.host} may not be asked for {wait:.0f} seconds", retry_after=wait)
            if wait > 0:
                self._clock.sleep(wait)

    def _headers(self, target: Target, wish: _Wish) -> list[tuple[bytes, bytes]]:
        headers = {
            "Host": target.authority,
            "User-Agent": self._user_agent.decode(),
            "Accept": wish.accept,
            "Accept-Encoding": ACCEPTED_CODINGS,
        }
        # RFC 9110 section 13.1; a header's bytes went through latin-1 on their way in, and do so on their way out.
        if wish.known.etag:
            headers["If-None-Match"] = wish.known.etag
        if wish.known.last_modified:
            headers["If-Modified-Since"] = wish.known.last_modified
        own = self._own_headers if target.origin == wish.target.origin else {}
        replaced = {name.lower() for name in own}
        headers = {name: value for name, value in headers.items() if name.lower() not in replaced} | own
        if cookie := wish.cookies.header(target):
            name = next((name for name in own if name.lower() == "cookie"), "Cookie")
            headers[name] = f"{headers[name]}; {cookie}" if name in headers else cookie
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    def _read(
        self, response: httpcore2.Response, target: Target, wish: _Wish, proxy: ProxyServer | None
    ) -> Answer | Target:
        status, headers = response.status, _header_values(response)
        wish.cookies.keep(target, _set_cookies(response))
        if status in _REDIRECTS and "location" in headers:
            # Raw bytes in an address are UTF-8 where they are anything (RFC 3987); no other header may hold such.
            return target.follow(headers["location"].encode("latin-1").decode(errors="replace"))
        if challenge := challenge_of(status, headers, response.iter_stream, self._max_body_bytes):
            raise SourceRefusedError(f"{target.shown} answered {status} with {challenge}", status=status)
        if status in _THROTTLED:
            raise self._throttled(status, headers, target)
        if status == HTTPStatus.OK:
            body, before = self._body(response, headers, target), Validators()
        elif status == HTTPStatus.NOT_MODIFIED and wish.known != Validators():
            body, before = None, wish.known
        elif status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and proxy is not None:
            raise _proxy_failure(proxy, str(status))
        else:
            raise _failure(status, target, self._hint(status, target, wish))
        return Answer(
            url=wish.url,
            body=body,
            validators=_validators(headers, before=before, unchanged=body is None),
            content_type=headers.get("content-type", ""),
            redirected_to=None if target == wish.target else f"{target.scheme}://{target.authority}{target.resource}",
        )

    def _hint(self, status: int, target: Target, wish: _Wish) -> str:
        """Return what to do about a refused login, without a word of it."""
        if status != HTTPStatus.UNAUTHORIZED:
            return ""
        if not self._own_headers:
            return "; set username and password_file, or headers, of this source"
        if target.origin == wish.target.origin:
            return "; the login of this source is wrong"
        return f"; the login of this source is sent only to {wish.target.origin}: change its address"

    def _body(self, response: httpcore2.Response, headers: Mapping[str, str], target: Target) -> bytes:
        try:
            return read_body(
                response.iter_stream(), coding=headers.get("content-encoding", ""), limit=self._max_body_bytes
            )
        except SourceUnreadableError as error:
            raise SourceUnreadableError(f"{target.shown}: {error}", status=response.status) from error

    def _throttled(self, status: int, headers: Mapping[str, str], target: Target) -> SourceThrottledError:
        """Close the gate for as long as the server wishes, and say so."""
        now = self._clock.now()
        wish = wished_wait(headers, now)
        if wish is not None:
            self._gates.close(target.host, now + timedelta(seconds=wish))
        return SourceThrottledError(f"{target.shown} wants fewer requests ({status})", retry_after=wish, status=status)

    @contextmanager
    def _translated(self, target: Target, proxy: ProxyServer | None) -> Iterator[None]:
        """Turn what the HTTP library raises into what sources raise."""
        try:
            yield
        except httpcore2.TimeoutException as error:
            raise _PassingError(f"{target.shown} did not answer in {self._timeout:g} seconds") from error
        except (httpcore2.NetworkError, httpcore2.RemoteProtocolError) as error:
            way = f" through the proxy {proxy.shown}" if proxy else ""
            raise _PassingError(f"{target.shown} cannot be reached{way}: {error}") from error
        except httpcore2.ProxyError as error:
            if proxy is None:
                raise
            raise _proxy_failure(proxy, str(error), target) from error
        except httpcore2.LocalProtocolError as error:
            # Its text may quote a header, and that a password.
            raise SourceRefusedError(
                f"{target.shown}: the request is not HTTP; look at headers of this source"
            ) from error


class _Patience:
    """What one fetch puts up with before it gives up: for tenacity."""

    def __init__(self, budget: Budget, random: Random) -> None:
        """Nothing went wrong yet."""
        self._budget = budget
        self._random = random
        self._throttled = False

    def wait(self, state: RetryCallState) -> float:
        """Return the seconds until the next attempt: the server's wish, else 0.5-1, 1-2, 2-4."""
        error = _error(state)
        if isinstance(error, SourceThrottledError) and error.retry_after is not None:
            return error.retry_after
        return self._random.uniform(0.5, 1.0) * 2.0 ** (state.attempt_number - 1)

    def stop(self, state: RetryCallState) -> bool:
        """Give up after the last attempt, the second throttling, or when the wait would outlast the budget."""
        if isinstance(_error(state), SourceThrottledError):
            if self._throttled:
                return True
            self._throttled = True
        return state.attempt_number >= _MOST_ATTEMPTS or state.upcoming_sleep >= self._budget.left()


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _may_pass(error: BaseException) -> bool:
    """Tell whether another attempt in the same fetch makes sense; a closed gate has no status, and was no answer."""
    if isinstance(error, SourceThrottledError):
        return error.status is not None and error.retry_after is not None
    return isinstance(error, _PassingError)


def _proxy_failure(proxy: ProxyServer, said: str, target: Target | None = None) -> SourceUnavailableError:
    """Return the error for a proxy that answered `said`, a status and its reason, instead of passing a request on."""
    if said.startswith("407"):
        why = "refused the login" if proxy.login else "wants a login"
        advice = "set proxy_username and proxy_password_file in [network]"
        return SourceUnavailableError(f"the proxy {proxy.shown} {why} (407): {advice}", status=407)
    where = f" for {target.shown}" if target else ""
    return SourceUnavailableError(f"the proxy {proxy.shown} answered {said.strip()[:100]}{where}")


def _failure(status: int, target: Target, hint: str = "") -> SourceError:
    """Return the error a status stands for (RFC 9110 section 15) that is neither success, redirect nor throttling."""
    message = f"{target.shown} answered {status}{hint}"
    if status in _PASSING:
        return _PassingError(message, status=status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SourceUnavailableError(message, status=status)
    if status >= HTTPStatus.BAD_REQUEST:
        return SourceRefusedError(message, status=status)
    return SourceUnreadableError(message, status=status)


def _header_values(response: httpcore2.Response) -> dict[str, str]:
    """Return the header fields by lower-case name; repeated ones are joined (RFC 9110 section 5.3)."""
    values: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values


def _set_cookies(response: httpcore2.Response) -> list[str]:
    """Return the Set-Cookie fields, which cannot be joined (RFC 6265 section 3)."""
    return [value.decode("latin-1") for name, value in response.headers if name.lower() == b"set-cookie"]


def _validators(headers: Mapping[str, str], *, before: Validators, unchanged: bool) -> Validators:
    return Validators(
        etag=headers.get("etag", before.etag),
        last_modified=headers.get("last-modified", before.last_modified),
        unchanged=unchanged,
    )
