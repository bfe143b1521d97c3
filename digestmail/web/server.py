"""Runs the web server (uvicorn)."""

from __future__ import annotations

import signal
import socket
import sys
from types import FrameType

import uvicorn

from digestmail.app import App
from digestmail.web.app import create_app

_GRACE = 5
"""Seconds that requests in hand may still take; `docker stop` kills after ten."""


def serve(app: App, host: str, port: int) -> None:
    """Serve `app` on `host` and `port` until SIGTERM or SIGINT. Requests in progress are finished first.

    Port 0 takes any free one. The address is printed; who cannot have it leaves with 1.
    """
    config = uvicorn.Config(
        create_app(app),
        host=host,
        port=port,
        # Forwarded headers are read by create_app, from trusted proxies only.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE,
    )
    # uvicorn raises the signal again after shutdown, but the app must still be closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    _Server(config).run(sockets=[config.bind_socket()])


class _Server(uvicorn.Server):
    """Prints its URL when it is ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for one in sockets or ():
            host, port = one.getsockname()[:2]
            sys.stdout.write(f"http://[{host}]:{port}/\n" if ":" in host else f"http://{host}:{port}/\n")
        sys.stdout.flush()


def _exit(_number: int, _frame: FrameType | None) -> None:
    """Exit with success."""
    sys.exit(0)
