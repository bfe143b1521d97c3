"""The preview server: loopback only, with a random token, until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import uvicorn

from digestmail.errors import DigestmailError
from digestmail.preview.routes import POLL, application
from digestmail.preview.service import PreviewService

_HOST = "127.0.0.1"


def new_token() -> str:
    """Return a random token of 192 bits."""
    return secrets.token_urlsafe(24)


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens on loopback; port 0 is any free one. Raises DigestmailError if it is in use."""
    try:
        listener = socket.create_server((_HOST, port))
    except OSError as error:
        raise DigestmailError(f"port {port} cannot be used: {error.strerror}") from error
    with listener:
        yield listener


def address_of(listener: socket.socket, token: str) -> str:
    """Return the URL of the page."""
    return f"http://{_HOST}:{listener.getsockname()[1]}/{token}/"


def serve(service: PreviewService, listener: socket.socket, token: str) -> None:
    """Serve the preview in this thread until SIGINT or SIGTERM."""
    with suppress(KeyboardInterrupt):
        _server(service, token, POLL).run(sockets=[listener])


@contextmanager
def serving(service: PreviewService, *, token: str, poll: timedelta = POLL) -> Iterator[str]:
    """Serve the preview in a new thread during the context; yield the URL of the page."""
    with listening(0) as listener:
        server = _server(service, token, poll)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="preview")
        thread.start()
        try:
            yield address_of(listener, token)
        finally:
            server.should_exit = True
            thread.join()


def _server(service: PreviewService, token: str, poll: timedelta) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            application(service, token, poll=poll),
            access_log=False,  # URLs contain the token
            log_level="warning",
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )
