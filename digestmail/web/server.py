"""Runs the web server (uvicorn)."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn

from digestmail.app import App
from digestmail.errors import ServerError
from digestmail.model.reports import Stop, never
from digestmail.web.app import create_app
from digestmail.web.port_holder import holder_of
from digestmail.web.protocol import TimedProtocol
from digestmail.web.subscriber_pages import WebState

_GRACE = 5
"""Seconds that requests in hand may still take; `docker stop` kills after ten."""
_LAST_REQUESTS = 0.2
"""Seconds in which a connection that was accepted before the end may send its request."""
_BACKLOG = 2048
_FIRST_OPEN_PORT = 1024


def serve(app: App, host: str, port: int) -> None:
    """Serve `app` on `host` and `port` until SIGTERM or SIGINT. Requests in progress are finished first.

    Port 0 takes any free one. The URL is printed. Notices that are due are sent meanwhile. Raises ServerError if the
    address is not available.
    """
    with listen(host, port) as listener:
        # uvicorn raises the signal again after shutdown, but the app must still be closed.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _exit)
        serve_on(listener, app)


def serve_on(
    listener: socket.socket, app: App, stop: Stop = never, *, is_alive: Callable[[], bool] = lambda: True
) -> None:
    """Serve `app` on a listening socket until `stop`, which is asked ten times a second, returns true.

    Requests in progress are finished first, and `listener` is closed. In the main thread, SIGTERM and SIGINT stop too.
    `/healthz` says what `is_alive` says.
    """
    web = create_app(app)
    web.state.is_alive = is_alive
    config = uvicorn.Config(
        web,
        http=TimedProtocol,
        ws="none",
        lifespan="off",
        # Forwarded headers are read by create_app, from trusted proxies only.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,  # its lines go where all others go
        # Malformed requests are warnings, which anyone could fill the log with.
        log_level="error",
        timeout_graceful_shutdown=_GRACE,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
    state: WebState = web.state.web_state
    with state.notice_queue.checked():
        _Server(config, stop).run(sockets=[listener])


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """Leave out the tracebacks of requests that were cancelled at the end, because their client did not go on."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port`. Raises ServerError, which says what to do."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        both = address[0] == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise ServerError(f"cannot listen on {where}: {_reason(error, port)}") from error


def _reason(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(port)
        find = f"`ss -ltnp 'sport = :{port}'` or `lsof -i :{port}` shows by which process"
        used = f"{holder} already uses the port" if holder else f"the port is already in use; {find}"
        return f"{used}; stop it, or choose another port with --port or [web] port"
    if error.errno == errno.EACCES and port < _FIRST_OPEN_PORT:
        return "ports below 1024 need privileges; choose a higher one, behind a reverse proxy (docs/web.md)"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "this is not an address of this machine; check --host or [web] host"
    return str(error.strerror or error)


class _Server(uvicorn.Server):
    """Prints its URL when it is ready, and asks whether to stop."""

    def __init__(self, config: uvicorn.Config, stop: Stop) -> None:
        super().__init__(config)
        self._stop = stop

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and let the connections that were just accepted send their request, before idle ones end.

        uvicorn would close them unread: each reload of `digestmail up` could cost a reader a page.
        """
        for server in self.servers:
            server.close()
        await asyncio.sleep(_LAST_REQUESTS)
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for one in sockets or ():
            host, port = one.getsockname()[:2]
            sys.stdout.write(f"http://[{host}]:{port}/\n" if ":" in host else f"http://{host}:{port}/\n")
        sys.stdout.flush()


def _exit(_number: int, _frame: FrameType | None) -> None:
    """Exit with success."""
    sys.exit(0)
