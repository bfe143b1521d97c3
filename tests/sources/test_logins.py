"""Logins, headers and cookies: sent where they belong, and nowhere else."""

from __future__ import annotations

import pytest
from loopback import FakeHostLimits, Listener, answering, client, listening, ok
from werkzeug import Request, Response

from digestmail.errors import SourceError, SourceRefusedError

XML = "application/xml"
SECRET = "Basic aHVzaA=="


def moved(location: str, *fields: str) -> bytes:
    head = ["HTTP/1.1 302 Found", "Content-Length: 0", f"Location: {location}", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n"


def url(server: Listener, path: str = "/feed", host: str = "127.0.0.1") -> str:
    return f"http://{host}:{server.port}{path}"


def test_headers_of_the_source_are_sent_and_replace_ours(httpserver):
    seen: list[Request] = []
    httpserver.expect_request("/feed").respond_with_handler(lambda request: seen.append(request) or Response(b"x"))
    with client(headers={"Authorization": SECRET, "user-agent": "Reader/1"}) as http:
        assert http.fetch(httpserver.url_for("/feed"), accept=XML).body == b"x"
    assert seen[0].headers["Authorization"] == SECRET
    assert seen[0].headers.get_all("User-Agent") == ["Reader/1"]


def test_a_redirect_within_the_origin_keeps_them():
    log: list[bytes] = []
    with (
        listening(answering(moved("/new"), log=log), answering(ok(b"x"), log=log)) as server,
        client(headers={"X-Key": "hush"}) as http,
    ):
        http.fetch(url(server), accept=XML)
    assert [b"X-Key: hush" in request for request in log] == [True, True]


@pytest.mark.parametrize("same_host", [True, False])
def test_another_origin_gets_neither_headers_nor_login(same_host):
    here: list[bytes] = []
    there: list[bytes] = []
    with listening(answering(ok(b"x"), log=there)) as other:
        location = url(other, "/x", "127.0.0.1" if same_host else "localhost")
        with listening(answering(moved(location), log=here)) as server:
            allowed = (f"127.0.0.1:{server.port}", f"127.0.0.1:{other.port}", f"localhost:{other.port}")
            with client(headers={"Authorization": SECRET, "Cookie": "id=hush"}, allowed=allowed) as http:
                assert http.fetch(url(server), accept=XML).body == b"x"
    assert SECRET.encode() in here[0]
    assert b"Authorization" not in there[0]
    assert b"hush" not in there[0]


@pytest.mark.parametrize("same_host", [True, False])
def test_headers_of_a_fetch_go_to_its_origin_only(same_host):
    here: list[bytes] = []
    there: list[bytes] = []
    with listening(answering(ok(b"x"), log=there)) as other:
        location = url(other, "/x", "127.0.0.1" if same_host else "localhost")
        with listening(answering(moved(location), log=here)) as server:
            allowed = (f"127.0.0.1:{server.port}", f"127.0.0.1:{other.port}", f"localhost:{other.port}")
            with client(allowed=allowed) as http:
                assert http.fetch(url(server), accept=XML, headers={"X-Version": "7"}).body == b"x"
    assert b"X-Version: 7" in here[0]
    assert b"X-Version" not in there[0]


@pytest.mark.parametrize("headers", [{}, {"Authorization": SECRET}])
def test_a_refused_login_says_what_to_do_and_not_what_was_sent(headers):
    with (
        listening(answering(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")) as server,
        client(headers=headers) as http,
        pytest.raises(SourceRefusedError) as caught,
    ):
        http.fetch(url(server, "/feed?key=hush"), accept=XML)
    said = str(caught.value)
    assert ("is wrong" if headers else "password_file") in said
    assert "aHVzaA" not in said
    assert "hush" not in said


def test_a_header_that_is_none_is_refused_without_showing_it():
    with (
        listening(answering(ok(b"x"))) as server,
        client(headers={"X-Key": "hush\r\nEvil: 1"}) as http,
        pytest.raises(SourceError) as caught,
    ):
        http.fetch(url(server), accept=XML)
    assert "hush" not in str(caught.value)
    assert "headers of this source" in str(caught.value)


# -- cookies -----------------------------------------------------------------------------------------------------------


def test_a_server_that_redirects_until_its_cookie_comes_back_is_read():
    """Return to the same address with the cookie it set: without it, it redirects for ever."""
    log: list[bytes] = []
    first = moved("/feed", "Set-Cookie: visit=1; Path=/; HttpOnly", "Set-Cookie: b=2; Max-Age=60")
    with listening(answering(first, log=log), answering(ok(b"here"), log=log)) as server, client() as http:
        assert http.fetch(url(server), accept=XML).body == b"here"
    assert b"Cookie" not in log[0]
    assert b"Cookie: visit=1; b=2\r\n" in log[1]


def test_cookies_are_not_for_other_hosts_nor_for_the_next_fetch():
    log: list[bytes] = []
    with listening(answering(ok(b"x"), log=log)) as other:
        location = url(other, "/x", "localhost")
        answers = moved(location, "Set-Cookie: a=1; Path=/"), moved(location, "Set-Cookie: a=1; Domain=localhost")
        with listening(*(answering(each, log=log) for each in answers)) as server:
            allowed = (f"127.0.0.1:{server.port}", f"localhost:{other.port}")
            with client(allowed=allowed, host_limits=FakeHostLimits()) as http:
                http.fetch(url(server), accept=XML, min_interval=0.0)
                http.fetch(url(server), accept=XML, min_interval=0.0)
    assert len(log) == 4
    assert not any(b"Cookie" in request for request in log)


def test_a_cookie_joins_the_one_of_the_source():
    log: list[bytes] = []
    with (
        listening(answering(moved("/feed", "Set-Cookie: a=1"), log=log), answering(ok(b"x"), log=log)) as server,
        client(headers={"cookie": "id=2"}) as http,
    ):
        http.fetch(url(server), accept=XML)
    assert b"cookie: id=2; a=1\r\n" in log[1]


def test_a_cookie_that_cannot_be_read_does_no_harm():
    odd = moved("/feed", "Set-Cookie: \xff=;;;=; Expires=never")
    with (
        listening(answering(odd), answering(ok(b"x"))) as server,
        client() as http,
    ):
        assert http.fetch(url(server), accept=XML).body == b"x"
