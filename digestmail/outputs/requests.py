"""HTTP requests to the address that the operator configured, with one time limit for all requests of an attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Final, Self

from digestmail.clock import Clock
from digestmail.errors import OutputError, OutputGoneError, SourceError
from digestmail.sources.http.body import ACCEPTED_CODINGS
from digestmail.sources.http.connections import Connections
from digestmail.sources.http.exchange import HttpRequest, HttpResponse, exchange
from digestmail.sources.http.network import Budget
from digestmail.sources.http.proxies import Proxies
from digestmail.sources.http.retry_after import backoff, wished_wait
from digestmail.sources.http.ssrf import Target, parse_target

_MOST_BYTES: Final = 4 * 1024 * 1024
_LONGEST_REASON: Final = 200
_SHORTEST_SECRET: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """What all requests of the installation have in common."""

    clock: Clock
    user_agent: str
    proxies: Proxies = field(default_factory=Proxies)
    direct_hosts: frozenset[str] = frozenset()
    """Hosts that are connected to without a proxy: those in `network.allow_private_hosts`."""


class Requests:
    """Requests to one host, for one attempt. Use it in a `with` statement.

    Redirects are not followed. The operator configured the host, so it may be in a private network. No other host is
    connected to.
    """

    def __init__(self, settings: HttpSettings, *, timeout: float, secrets: tuple[str, ...] = ()) -> None:
        """Start the time limit of `timeout` seconds. `secrets` are removed from what errors quote."""
        self._settings = settings
        self._timeout = timeout
        self._secrets = tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)
        self._budget = Budget(settings.clock)
        self._connections = Connections(self._budget, settings.user_agent)
        self._connections.allow(None)
        self._budget.start(timeout)

    def __enter__(self) -> Self:
        """Return the requests."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._connections.close()

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b"", read: bool = True
    ) -> HttpResponse:
        """Send a request. Raises OutputError if there is no complete response in time.

        Without `read`, the body of a success is not read: its status is all that counts, even if the connection is
        lost afterwards.
        """
        try:
            target = parse_target(url)
            return self._send(method, target, headers=headers, content=content, read=read)
        except SourceError as error:
            raise OutputError(self._hidden(str(error)), status=error.status) from error

    def _send(
        self, method: str, target: Target, *, headers: Mapping[str, str], content: bytes, read: bool
    ) -> HttpResponse:
        proxy = None if target.host in self._settings.direct_hosts else self._settings.proxies.of(target)
        fields = {
            "Host": target.authority,
            "User-Agent": self._settings.user_agent,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED_CODINGS,
            **({"Content-Length": str(len(content))} if method != "GET" else {}),
            **headers,
        }
        return exchange(
            self._connections,
            proxy,
            HttpRequest(method=method, target=target, headers=fields, content=content),
            timeout=self._timeout,
            max_body_bytes=_MOST_BYTES,
            is_body_needed=lambda response: read or not response.is_success,
        )

    def failure(self, response: HttpResponse, what: str, hint: str = "") -> OutputError:
        """Return the error for a response that is no success. `what` names the receiver."""
        status = response.status
        message = f"{what} answered {status}{hint}{self._reason(response)}"
        if status == HTTPStatus.GONE:
            return OutputGoneError(message, status=status)
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            message = f"{what} answered {status}; redirects are not followed: configure the final address"
        return OutputError(message, status=status, retry_after=self.wait(response, self._settings.clock.now()))

    def wait(self, response: HttpResponse, now: datetime) -> float | None:
        """Return for how many seconds the server asks to be left alone, with any status."""
        wished = None if response.is_success else wished_wait(response.headers, now)
        return wished if wished is not None else backoff(response.headers)

    def _reason(self, response: HttpResponse) -> str:
        """Return what the server says, in one line, without secrets that it repeats."""
        text = self._hidden(response.body[: _LONGEST_REASON * 4].decode("utf-8", "replace"))
        line = " ".join("".join(one if one.isprintable() else " " for one in text).split())[:_LONGEST_REASON]
        return f": {line}" if line and not line.startswith("<") else ""

    def _hidden(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "(secret)")
        return text
