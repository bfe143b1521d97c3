"""The preview's server: loopback only, one random token, until Ctrl-C."""

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
    """Return a token nobody guesses: 192 random bits."""
    return secrets.token_urlsafe(24)


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens on loopback; port 0 is any free one. Raises DigestmailError when it is taken."""
    try:
        listener = socket.create_server((_HOST, port))
    except OSError as error:
        raise DigestmailError(f"port {port} cannot be used: {error.strerror}") from error
    with listener:
        yield listener


def address_of(listener: socket.socket, token: str) -> str:
    """Return the address of the page."""
    return f"http://{_HOST}:{listener.getsockname()[1]}/{token}/"


def serve(desk: PreviewService, listener: socket.socket, token: str) -> None:
    """Serve the preview in this thread until SIGINT or SIGTERM."""
    with suppress(KeyboardInterrupt):
        _server(desk, token, POLL).run(sockets=[listener])


@contextmanager
def serving(desk: PreviewService, *, token: str, poll: timedelta = POLL) -> Iterator[str]:
    """Serve the preview in a thread of its own as long as the context lasts; yield the address of the page."""
    with listening(0) as listener:
        server = _server(desk, token, poll)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="preview")
        thread.start()
        try:
            yield address_of(listener, token)
        finally:
            server.should_exit = True
            thread.join()


def _server(desk: PreviewService, token: str, poll: timedelta) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            application(desk, token, poll=poll),
            access_log=False,  # addresses hold the token
            log_level="warning",
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )
