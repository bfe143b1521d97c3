"""Slow, broken and disappearing clients, over real sockets with short limits."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11
import pytest
import uvicorn
from websites import TOKEN, open_app

from digestmail.app import App
from digestmail.web.app import create_app
from digestmail.web.protocol import Phase, TimedProtocol, phase_of

TYPE = b"application/x-www-form-urlencoded"
START = b"POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Type: " + TYPE + b"\r\nContent-Length: 9\r\n\r\n"


@contextmanager
def listening(app: App, **seconds: float) -> Iterator[int]:
    """Serve `app` with these limits; yield the port. Connections are gone when it returns."""
    protocol = type("Quick", (TimedProtocol,), seconds)
    config = uvicorn.Config(
        create_app(app), host="127.0.0.1", port=0, http=protocol, ws="none", lifespan="off", log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def app(sqlite, tmp_path):
    with open_app(f"sqlite:///{tmp_path / 'test.db'}", access_log=True) as opened:
        yield opened


def talk(port: int, *pieces: bytes) -> bytes:
    """Send pieces, and return all that comes until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        for piece in pieces:
            client.sendall(piece)
        answer = b""
        try:
            while more := client.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((), b""),
        ((b"GET / HTTP/1.1\r\nHo",), b"HTTP/1.1 408 "),
        ((START, b"add"), b"HTTP/1.1 408 "),
        ((START.replace(b"Content-Length: 9", b"Transfer-Encoding: chunked"), b"3\r\nadd\r\n"), b"HTTP/1.1 408 "),
    ],
    ids=["nothing", "headers", "body", "chunks"],
)
def test_a_client_that_stalls_is_closed(app, caplog, pieces, status):
    with listening(app, header_seconds=0.1, body_seconds=0.1) as port:
        answer = talk(port, *pieces)
    assert answer.startswith(status) if status else answer == b""
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_octets_that_trickle_in_do_not_move_the_deadline():
    connection = connected()
    deadline = connection._deadline
    for octet in b"GET / HTTP/1.1\r\nHost: exam":
        connection.data_received(bytes([octet]))
    assert connection._deadline is deadline
    assert connection.loop.delays == [TimedProtocol.header_seconds]
    deadline.callback()
    assert connection.transport.written.startswith(b"HTTP/1.1 408 ")
    assert connection.transport.closed


def connected() -> Any:
    """Return a connection that never touches the network or the time."""
    made = TimedProtocol(uvicorn.Config(lambda: None), uvicorn.server.ServerState(), {}, FakeLoop())
    made.connection_made(FakeTransport())
    return made


class FakeTimer:
    def __init__(self, callback):
        self.callback = callback

    def cancel(self):
        pass


class FakeLoop:
    def __init__(self):
        self.delays = []

    def call_later(self, seconds, callback):
        self.delays.append(seconds)
        return FakeTimer(callback)


class FakeTransport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.written, self.closed, self.aborted, self.unread = b"", False, False, 0

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def abort(self):
        self.aborted = True

    def get_write_buffer_size(self):
        return self.unread


@pytest.mark.parametrize(("unread", "aborted"), [(5, True), (0, False)])
def test_a_client_that_does_not_read_its_response_is_closed(unread, aborted):
    connection = connected()
    connection.on_response_complete()
    connection.transport.unread = unread
    connection._flushing.callback()
    assert connection.transport.aborted is aborted


@pytest.mark.parametrize(
    ("state", "phase"),
    [(h11.IDLE, Phase.HEADERS), (h11.SEND_BODY, Phase.BODY), (h11.DONE, Phase.NOTHING), (h11.ERROR, Phase.NOTHING)],
)
def test_each_state_of_a_client_has_its_deadline(state, phase):
    assert phase_of(state) is phase


def test_an_aborted_body_is_not_an_error_in_the_log(app, caplog):
    caplog.set_level("INFO")
    targets = ("/subscribe", "/preferences/x.y", "/api/v1/subscribers", "/api/v1/events/generic", "/unsubscribe/x.y")
    with listening(app) as port:
        for target in targets:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                head = START.replace(b"/subscribe", target.encode()).replace(b"Host: x", b"Host: x\r\n" + bearer())
                client.sendall(head + b"add")
            wait_for(caplog, target)
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


def bearer() -> bytes:
    return f"Authorization: Bearer {TOKEN}".encode()


def wait_for(caplog, target: str) -> None:
    """Wait until the access log has a line for the request: the server has finished with it."""
    first = f"path=/{target.split('/')[1]}"
    done = threading.Event()
    for _ in range(1000):
        if any(first in record.getMessage() for record in caplog.records):
            return
        done.wait(0.01)
    raise AssertionError(target)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET / HTTP/one\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 400_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        START.replace(b"Content-Length: 9", b"Transfer-Encoding: chunked") + b"zz\r\n",
        START.replace(b"Content-Length: 9", b"Content-Length: 9\r\nContent-Length: 8") + b"address=x",
    ],
    ids=["TLS", "version", "headers", "length", "negative", "chunk", "two lengths"],
)
def test_garbage_gets_400_and_no_line_in_the_log(app, caplog, garbage):
    with listening(app) as port:
        assert talk(port, garbage).startswith(b"HTTP/1.1 400 ")
    assert [record for record in caplog.records if record.levelno >= 30] == []


def test_garbage_after_a_request_does_not_disturb_its_response(app, caplog):
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"
    with listening(app) as port:
        answer = talk(port, request + b"\0\1 garbage\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"Invalid HTTP request received.") or b"400 Bad Request" in answer
    assert [record for record in caplog.records if record.levelno >= 30] == []
