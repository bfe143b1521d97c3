"""Time that runs out, names that resolve to places they should not, certificates of somebody else."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loopback import FakeHostLimits, answering, client, dripping, listening, ok, stalling

from digestmail.clock import SystemClock
from digestmail.errors import SourceError, SourceHostUnknownError, SourceRefusedError, SourceUnavailableError

XML = "application/xml"
TIMEOUT = 0.3
SLACK = 0.7


@contextmanager
def ending_in_time(kind: type[SourceError] = SourceUnavailableError) -> Iterator[None]:
    """Expect an error of `kind` within the time-out."""
    began = time.monotonic()
    with pytest.raises(SourceError) as caught:
        yield
    assert time.monotonic() - began < TIMEOUT + SLACK
    assert isinstance(caught.value, kind)


def hurried():
    return client(clock=SystemClock(), timeout=TIMEOUT)


# -- time ------------------------------------------------------------------------------------------------------------


def test_a_server_that_says_nothing_is_left_in_time():
    with listening(stalling) as server, hurried() as http, ending_in_time():
        http.fetch(f"http://127.0.0.1:{server.port}/", accept=XML)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["status line", "header", "body", "chunk size", "body without length"],
)
def test_a_server_that_drips_is_left_in_time(head):
    with listening(dripping(head)) as server, hurried() as http, ending_in_time():
        http.fetch(f"http://127.0.0.1:{server.port}/", accept=XML)


def test_a_server_that_keeps_saying_wait_is_left_in_time():
    wait = b"HTTP/1.1 102 Processing\r\n\r\n"
    with listening(dripping(wait, wait)) as server, hurried() as http, ending_in_time():
        http.fetch(f"http://127.0.0.1:{server.port}/", accept=XML)


def test_a_tls_handshake_that_never_ends_is_left_in_time():
    with listening(stalling) as server, hurried() as http, ending_in_time():
        http.fetch(f"https://127.0.0.1:{server.port}/", accept=XML)


def test_a_resolver_that_hangs_is_left_in_time(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: over.wait(5) and [])
    with hurried() as http, ending_in_time():
        http.fetch("http://slow.test/", accept=XML)
    over.set()


def test_slow_redirects_share_one_time_limit():
    def slow_redirect(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        over.wait(0.12)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

    with listening(slow_redirect) as server, hurried() as http, ending_in_time():
        http.fetch(f"http://127.0.0.1:{server.port}/", accept=XML, min_interval=0.0)
    assert server.connections <= 3


def test_the_time_of_one_fetch_is_not_taken_from_the_next():
    with (
        listening(stalling, answering(ok(b"well"))) as server,
        hurried() as http,
    ):
        with ending_in_time():
            http.fetch(f"http://127.0.0.1:{server.port}/", accept=XML, min_interval=0.0)
        assert http.fetch(f"http://127.0.0.1:{server.port}/", accept=XML, min_interval=0.0).body == b"well"


# -- names and addresses ---------------------------------------------------------------------------------------------


class Names:
    """A resolver that says something else each time it is asked."""

    def __init__(self, answers: dict[str, list[list[str]]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def getaddrinfo(self, host: str, port: int, *_args: object, **_kwargs: object) -> list[tuple[object, ...]]:
        if host not in self.answers:
            # A numeric address: create_connection passes it through the same function.
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        self.asked.append(host)
        turns = self.answers[host]
        addresses = turns.pop(0) if len(turns) > 1 else turns[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


@pytest.fixture
def names(monkeypatch):
    def install(**answers: list[list[str]]) -> Names:
        resolver = Names({name.replace("_", "."): turns for name, turns in answers.items()})
        monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
        return resolver

    return install


@pytest.fixture
def no_connections(monkeypatch):
    """Refuse every connection, and return where they wanted to go."""
    wanted: list[str] = []

    def refuse(address: tuple[str, int], *_args: object, **_kwargs: object) -> socket.socket:
        wanted.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    return wanted


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
)
def test_a_name_at_a_private_address_is_refused_before_any_connection(names, no_connections, address):
    names(feed_test=[[address]])
    with client() as http, pytest.raises(SourceRefusedError, match="not a public address"):
        http.fetch("http://feed.test/", accept=XML)
    assert no_connections == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(names, no_connections):
    names(feed_test=[["8.8.8.8", "192.168.1.1"]])
    with client() as http, pytest.raises(SourceRefusedError, match=r"192\.168\.1\.1"):
        http.fetch("http://feed.test/", accept=XML)
    assert no_connections == []


def test_it_connects_to_the_address_it_checked_though_the_name_moves_meanwhile(names, no_connections):
    resolver = names(feed_test=[["8.8.8.8"], ["127.0.0.1"]])
    with client(timeout=0.4) as http, pytest.raises(SourceUnavailableError):
        http.fetch("http://feed.test/", accept=XML)
    assert no_connections == ["8.8.8.8"]
    assert resolver.asked == ["feed.test"]


def test_a_name_that_moved_inside_is_refused_at_the_next_attempt(names, no_connections):
    names(feed_test=[["8.8.8.8"], ["127.0.0.1"]])
    with client() as http, pytest.raises(SourceRefusedError):
        http.fetch("http://feed.test/", accept=XML)
    assert no_connections == ["8.8.8.8"]


def test_a_name_is_resolved_once_for_a_connection(names):
    with listening(answering(ok(b"x"))) as server:
        resolver = names(feed_test=[["127.0.0.1"], ["127.9.9.9"]])
        with client(allowed=("feed.test",)) as http:
            assert http.fetch(f"http://feed.test:{server.port}/", accept=XML).body == b"x"
    assert resolver.asked == ["feed.test"]


def test_an_address_that_refuses_is_passed_over_for_the_next(names):
    with listening(answering(ok(b"second"))) as server:
        names(feed_test=[["127.0.0.2", "127.0.0.1"]])
        with client(allowed=("feed.test",)) as http:
            assert http.fetch(f"http://feed.test:{server.port}/", accept=XML).body == b"second"


def test_a_network_of_fake_addresses_can_be_opened(names, no_connections):
    names(feed_test=[["198.18.0.23"]], wiki_test=[["10.0.0.1"]])
    with client(networks=("198.18.0.0/15",), timeout=0.4) as http:
        with pytest.raises(SourceUnavailableError):
            http.fetch("http://feed.test/", accept=XML)
        with pytest.raises(SourceRefusedError, match="not a public address"):
            http.fetch("http://wiki.test/", accept=XML)
    assert set(no_connections) == {"198.18.0.23"}


def test_a_name_that_does_not_exist_is_looked_up_once(monkeypatch):
    asked: list[str] = []

    def fail(host: str, *_args: object, **_kwargs: object) -> list[object]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with client() as http, pytest.raises(SourceHostUnknownError, match="Name or service not known"):
        http.fetch("http://feed.test/", accept=XML)
    assert asked == ["feed.test"]


def test_a_resolver_that_is_not_there_yet_is_asked_again(monkeypatch):
    asked: list[str] = []

    def fail(host: str, *_args: object, **_kwargs: object) -> list[object]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with client() as http, pytest.raises(SourceUnavailableError) as caught:
        http.fetch("http://feed.test/", accept=XML)
    assert not isinstance(caught.value, SourceHostUnknownError)
    assert len(asked) == 4


def test_a_name_nobody_knows_is_unavailable(monkeypatch):
    def fail(*_args: object, **_kwargs: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with client() as http, pytest.raises(SourceUnavailableError, match=r"feed\.test was not resolved"):
        http.fetch("http://feed.test/", accept=XML)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_is_written_in_brackets_and_can_be_allowed():
    log: list[bytes] = []
    with listening(answering(ok(b"six"), log=log), host="::1", family=socket.AF_INET6) as server:
        host_limits = FakeHostLimits()
        with client(allowed=("[::1]",), host_limits=host_limits) as http:
            assert http.fetch(f"http://[0:0::1]:{server.port}/", accept=XML).body == b"six"
    assert f"Host: [::1]:{server.port}\r\n".encode() in log[0]
    assert host_limits.booked[0][0] == "::1"


# -- certificates ----------------------------------------------------------------------------------------------------


@contextmanager
def tls_server(certificate: tuple[Path, Path], asked_for: list[str | None]):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)

    def talk(connection: socket.socket, over: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            answering(ok(b"secret"))(secure, over)

    with listening(talk) as server:
        yield server


def test_the_pinned_connection_shows_and_checks_the_name(names, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    asked_for: list[str | None] = []
    with tls_server(certificate, asked_for) as server:
        names(feed_test=[["127.0.0.1"]])
        with client(allowed=("feed.test",)) as http:
            assert http.fetch(f"https://feed.test:{server.port}/", accept=XML).body == b"secret"
    assert asked_for == ["feed.test"]


def test_the_certificate_of_another_name_is_not_taken(names, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    asked_for: list[str | None] = []
    with tls_server(certificate, asked_for) as server:
        names(other_test=[["127.0.0.1"]])
        with (
            client(allowed=("other.test",)) as http,
            pytest.raises(SourceUnavailableError, match=r"certificate of other"),
        ):
            http.fetch(f"https://other.test:{server.port}/", accept=XML)
    assert asked_for == ["other.test"]


def test_a_certificate_nobody_vouches_for_is_not_taken(names, certificate):
    with tls_server(certificate, []) as server:
        names(feed_test=[["127.0.0.1"]])
        with client(allowed=("feed.test",)) as http, pytest.raises(SourceUnavailableError, match="not valid"):
            http.fetch(f"https://feed.test:{server.port}/", accept=XML)
