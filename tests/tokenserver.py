"""A token endpoint on loopback (RFC 6749 section 3.2), with a script of answers."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from loopback import listening

from digestmail.oauth.endpoint import OAuthEndpoint
from digestmail.oauth.presets import Application, GrantType
from digestmail.sources.http.exchange import HttpExchange
from digestmail.sources.http.proxies import Proxies

Answer = tuple[int, Any]
"""A status and a JSON value, or octets."""
Form = dict[str, str]


class TokenServer:
    """Answers each form by `respond`, or with the next scripted answer."""

    def __init__(self, *answers: Answer, respond: Callable[[Form], Answer] | None = None) -> None:
        self.answers = deque(answers)
        self.respond = respond
        self.forms: list[Form] = []
        self.requests: list[bytes] = []
        self.port = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    @contextmanager
    def running(self) -> Iterator[TokenServer]:
        with listening(self._talk) as listener:
            self.port = listener.port
            yield self

    def _talk(self, connection: socket.socket, over: threading.Event) -> None:
        del over
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65536)
            if not piece:
                return
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < length:
            body += connection.recv(65536)
        with self._lock:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            self.forms.append(form)
            self.requests.append(head)
            status, value = self.respond(form) if self.respond else self.answers.popleft()
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        connection.sendall(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(content)) + content)


def issued(number: int, *, expires_in: object = 3600, refresh: str | None = None) -> Answer:
    """Return the answer with the access token `access-NUMBER`."""
    values = {"access_token": f"access-{number}", "token_type": "Bearer", "expires_in": expires_in}
    return 200, values | ({"refresh_token": refresh} if refresh else {})


def application(url: str, **changes: Any) -> Application:
    """Return an application that has a secret and refreshes tokens."""
    fields: dict[str, Any] = {
        "grant": GrantType.REFRESH_TOKEN, "client_id": "me", "client_secret": "client-secret", "token_url": url,
        "scope": "mail offline_access",
    }  # fmt: skip
    return Application(**(fields | changes))


def endpoint(clock: Any) -> OAuthEndpoint:
    """Return the client of a token endpoint."""
    exchange = HttpExchange(clock=clock, user_agent="digestmail/0", proxies=Proxies(), timeout=5.0)
    return OAuthEndpoint(exchange, login_command="digestmail oauth login")
