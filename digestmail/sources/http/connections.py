"""The connections of one client, by the proxy that they go through."""

from __future__ import annotations

import httpcore2

from digestmail.sources.http.network import Budget, GuardedBackend, trust
from digestmail.sources.http.proxies import ProxyServer
from digestmail.sources.http.ssrf import Allowance

_KEEP_ALIVE_SECONDS = 30.0


class Connections:
    """Opens connections within the budget of a fetch, and keeps them for the next one."""

    def __init__(self, budget: Budget, user_agent: str, *, longest_connect: float | None = None) -> None:
        """Open nothing yet. `user_agent` is also sent to proxies.

        Connecting takes `longest_connect` seconds at most; None means what is left of the budget.
        """
        self._budget = budget
        self._user_agent = user_agent.encode()
        self._longest_connect = longest_connect
        self._direct = GuardedBackend(budget, longest_connect)
        self._pools: dict[ProxyServer | None, httpcore2.ConnectionPool] = {}

    def allow(self, allowed: Allowance | None) -> None:
        """Let direct connections reach the private hosts in `allowed`, and no others, from now on; None: all hosts."""
        self._direct.allow(allowed)

    def pool(self, proxy: ProxyServer | None) -> httpcore2.ConnectionPool:
        """Return the connections that go through `proxy`, or directly."""
        if proxy not in self._pools:
            self._pools[proxy] = httpcore2.ConnectionPool(
                ssl_context=trust(),
                proxy=None if proxy is None else self._settings(proxy),
                network_backend=self._direct if proxy is None else self._backend_to_proxy(),
                keepalive_expiry=_KEEP_ALIVE_SECONDS,
            )
        return self._pools[proxy]

    def close(self) -> None:
        """Close the connections that were kept open."""
        for pool in self._pools.values():
            pool.close()

    def _backend_to_proxy(self) -> GuardedBackend:
        """Return a backend that connects anywhere: the operator configured the proxy."""
        backend = GuardedBackend(self._budget, self._longest_connect)
        backend.allow(None)
        return backend

    def _settings(self, proxy: ProxyServer) -> httpcore2.Proxy:
        at = proxy.target
        return httpcore2.Proxy(
            httpcore2.URL(scheme=at.scheme, host=at.host, port=at.port, target="/"),
            auth=proxy.login and (proxy.login[0].encode(), proxy.login[1].encode()),
            headers=[(b"User-Agent", self._user_agent)],
        )
