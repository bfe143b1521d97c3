"""Serving: uvicorn around the pages."""

from __future__ import annotations

import uvicorn

from digestmail.app import App
from digestmail.web.app import create_app


def serve(app: App, host: str, port: int) -> None:
    """Serve the pages of `app` on `host` and `port` until SIGTERM or SIGINT; requests in hand are finished first."""
    uvicorn.run(
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
