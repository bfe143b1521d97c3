"""Requests through an HTTP proxy: which go through it, in which form, and what is still checked."""

from __future__ import annotations

import base64
import socket
import ssl
import threading

import pytest
from loopback import answering, client, listening, ok, read_request

from digestmail.errors import SourceRefusedError, SourceUnavailableError
from digestmail.sources.http.proxies import Proxies, environment_proxies, parse_proxy
from digestmail.sources.http.ssrf import parse_target

XML = "application/xml"
LOGIN = ("pär", "p:w")


def through(port: int, login: tuple[str, str] | None = None, **options) -> Proxies:
    proxy = parse_proxy(f"http://127.0.0.1:{port}", login)
    return Proxies(http=proxy, https=proxy, **options)


# -- in which form -----------------------------------------------------------------------------------------------------


def test_http_goes_through_with_the_complete_address_and_no_name_is_resolved(monkeypatch):
    asked: list[str] = []
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: asked.append(host) or real(host, *rest, **more)
    )
    log: list[bytes] = []
    with listening(answering(ok(b"x"), log=log)) as proxy, client(proxies=through(proxy.port)) as http:
        assert http.fetch("http://feed.institute.example/feed?a=b", accept=XML).body == b"x"
    assert log[0].startswith(b"GET http://feed.institute.example/feed?a=b HTTP/1.1\r\n")
    assert b"\r\nHost: feed.institute.example\r\n" in log[0]
    assert b"Proxy-Authorization" not in log[0]
    assert "feed.institute.example" not in asked


def test_a_port_and_an_ipv6_address_stay_as_they_are():
    log: list[bytes] = []
    with listening(answering(ok(b"x"), log=log)) as proxy, client(proxies=through(proxy.port)) as http:
        http.fetch("http://feed.institute.example:8080/feed", accept=XML)
        http.fetch("http://[2606:4700::1111]/feed", accept=XML)
    assert log[0].startswith(b"GET http://feed.institute.example:8080/feed HTTP/1.1\r\n")
    assert log[1].startswith(b"GET http://[2606:4700::1111]/feed HTTP/1.1\r\nHost: [2606:4700::1111]\r\n")


def test_a_proxy_may_want_a_login():
    log: list[bytes] = []
    with listening(answering(ok(b"x"), log=log)) as proxy, client(proxies=through(proxy.port, LOGIN)) as http:
        http.fetch("http://feed.institute.example/feed", accept=XML)
    expected = base64.b64encode("pär:p:w".encode())
    assert b"Proxy-Authorization: Basic " + expected in log[0]


def test_https_is_tunnelled_and_the_certificate_is_still_the_feed_s(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    log: list[bytes] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    def tunnel(connection: socket.socket, over: threading.Event) -> None:
        log.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as secure:
            answering(ok(b"secret"), log=log)(secure, over)

    with listening(tunnel) as proxy, client(proxies=through(proxy.port, LOGIN), headers={"X-Key": "hush"}) as http:
        assert http.fetch("https://feed.test/feed", accept=XML).body == b"secret"
        with pytest.raises(SourceUnavailableError, match="certificate of other"):
            http.fetch("https://other.test/feed", accept=XML)
    assert log[0].startswith(b"CONNECT feed.test:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " in log[0]
    assert b"hush" not in log[0]
    assert b"Proxy-Authorization" not in log[1]
    assert log[1].startswith(b"GET /feed HTTP/1.1\r\n")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("login", "says"), [(None, "wants a login"), (LOGIN, "refused the login")])
def test_a_proxy_that_refuses_is_named_and_the_password_is_not(scheme, login, says):
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with (
        listening(answering(refusal)) as proxy,
        client(proxies=through(proxy.port, login)) as http,
        pytest.raises(SourceUnavailableError, match=says) as caught,
    ):
        http.fetch(f"{scheme}://feed.institute.example/feed", accept=XML)
    assert f"127.0.0.1:{proxy.port}" in str(caught.value)
    assert "p:w" not in str(caught.value)


def test_a_proxy_that_will_not_connect_says_so():
    refusal = b"HTTP/1.1 403 Not on my list\r\nContent-Length: 0\r\n\r\n"
    with (
        listening(answering(refusal)) as proxy,
        client(proxies=through(proxy.port)) as http,
        pytest.raises(SourceUnavailableError, match="403 Not on my list"),
    ):
        http.fetch("https://feed.institute.example/feed", accept=XML)


def test_a_proxy_that_is_not_there_is_named():
    with listening(answering(b"")) as proxy:
        port = proxy.port
    with (
        client(proxies=through(port)) as http,
        pytest.raises(SourceUnavailableError, match=f"proxy http://127.0.0.1:{port}"),
    ):
        http.fetch("http://feed.institute.example/feed", accept=XML)


# -- what is still checked ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location", ["http://10.0.0.1/", "http://127.1/", "http://localhost/", "http://wiki.internal/"]
)
def test_a_redirect_to_a_private_host_is_refused_before_the_proxy_sees_it(location):
    move = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n".encode()
    log: list[bytes] = []
    with (
        listening(answering(move, ok(b"x"), log=log)) as proxy,
        client(proxies=through(proxy.port), allowed=("localhost", "127.0.0.1")) as http,
        pytest.raises(SourceRefusedError),
    ):
        http.fetch("http://feed.institute.example/feed", accept=XML)
    assert len(log) == 1


def test_an_allowed_private_host_is_connected_to_directly(httpserver):
    httpserver.expect_request("/feed").respond_with_data(b"own")
    with listening(answering(ok(b"from the proxy"))) as proxy, client(proxies=through(proxy.port)) as http:
        assert http.fetch(httpserver.url_for("/feed"), accept=XML).body == b"own"
    assert proxy.connections == 0


def test_what_bypasses_the_proxy_is_checked_like_any_address():
    with (
        client(proxies=through(1, direct=("10.0.0.0/8",))) as http,
        pytest.raises(SourceRefusedError, match="not a public address"),
    ):
        http.fetch("http://10.0.0.1/feed", accept=XML)


# -- which go through it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("", False),
        ("*", True),
        ("example.org", True),
        (".example.org", True),
        ("*.example.org", True),
        ("localhost, FEEDS.example.org", True),
        ("feeds.example.org:8080", True),
        ("feeds.example.org:443", False),
        ("ample.org", False),
        ("10.0.0.0/8", False),
        ("not a host/99", False),
    ],
)
def test_no_proxy_names_hosts_with_their_subdomains(no_proxy, direct):
    environment = {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": no_proxy}
    proxies, problems = environment_proxies(environment)
    assert (proxies.of(parse_target("http://feeds.example.org:8080/")) is None) is direct
    assert problems == ()


@pytest.mark.parametrize("entry", ["192.0.2.0/24", "192.0.2.7", "192.0.2.7:80"])
def test_no_proxy_names_addresses_and_networks(entry):
    proxies, _ = environment_proxies({"http_proxy": "proxy:3128"}, (entry,))
    assert proxies.of(parse_target("http://192.0.2.7/")) is None
    assert proxies.of(parse_target("http://192.0.3.7/")) is not None


@pytest.mark.parametrize("entry", ["2001:db8::/32", "2001:db8::7", "[2001:db8::7]", "[2001:db8::7]:80"])
def test_no_proxy_names_ipv6_addresses(entry):
    proxies, _ = environment_proxies({"http_proxy": "proxy:3128"}, (entry,))
    assert proxies.of(parse_target("http://[2001:db8::7]/")) is None


def shown(environment: dict[str, str]) -> tuple[str | None, str | None]:
    proxies, _ = environment_proxies(environment)
    http, https = proxies.http, proxies.https
    return http.shown if http else None, https.shown if https else None


def test_the_environment_is_read_as_curl_does():
    assert shown({}) == (None, None)
    assert shown({"HTTP_PROXY": "", "https_proxy": " "}) == (None, None)
    assert shown({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2"}) == (None, "http://b:2")
    assert shown({"ALL_PROXY": "http://a:1", "http_proxy": "b:2"}) == ("http://b:2", "http://a:1")


def test_a_login_in_the_address_is_decoded_and_never_shown():
    proxies, _ = environment_proxies({"HTTP_PROXY": "http://me:p%40ss@proxy:3128/"})
    assert proxies.http is not None
    assert proxies.http.login == ("me", "p@ss")
    assert "p@ss" not in repr(proxies)
    assert proxies.http.shown == "http://proxy:3128"


@pytest.mark.parametrize("address", ["socks5://me:hush@127.0.0.1:1080", "http://me:hush@pro xy:3128", "http://:hush@"])
def test_a_foreign_variable_is_ignored_with_a_sentence(address):
    proxies, problems = environment_proxies({"ALL_PROXY": address})
    assert (proxies.http, proxies.https) == (None, None)
    assert len(problems) == 1
    assert "ALL_PROXY is ignored" in problems[0]
    assert "hush" not in problems[0]
