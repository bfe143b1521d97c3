"""Serving: uvicorn around the pages."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import uvicorn

from digestmail.app import App
from digestmail.web.app import create_app


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
        timeout_graceful_shutdown=10,
    )
    # uvicorn raises the signal once more when it has shut down; then the app is still to be closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _pass)
    socket = config.bind_socket()
    shown = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"http://{shown}:{socket.getsockname()[1]}/\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[socket])


def _pass(_number: int, _frame: FrameType | None) -> None:
    """Take the signal and go on."""
