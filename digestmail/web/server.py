"""Serving: uvicorn around the pages."""

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
    """Serve the pages of `app` on `host` and `port` until SIGTERM or SIGINT; requests in hand are finished first.

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
    # uvicorn raises the signal once more when it has shut down; then the app is still to be closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    _Server(config).run(sockets=[config.bind_socket()])


class _Server(uvicorn.Server):
    """Says where it is, once it answers there."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for one in sockets or ():
            host, port = one.getsockname()[:2]
            sys.stdout.write(f"http://[{host}]:{port}/\n" if ":" in host else f"http://{host}:{port}/\n")
        sys.stdout.flush()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End the program as one that did what it was told."""
    sys.exit(0)
