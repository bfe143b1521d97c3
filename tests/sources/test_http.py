"""What servers answer, and what becomes of it: statuses, redirects, conditions, retries, host limits."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from fakes import THURSDAY, FakeClock
from loopback import FakeHostLimits, answering, client, listening, ok, resetting
from werkzeug import Request, Response

from digestmail.errors import (
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
)
from digestmail.model.papers import Validators

XML = "application/xml"


def serve(httpserver, path, *answers):
    """Give one answer after the other on `path`; the last one repeats. Returns the requests seen."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    httpserver.expect_request(path).respond_with_handler(answer)
    return seen


def failing(http, url, **options) -> SourceError:
    with pytest.raises(SourceError) as caught:
        http.fetch(url, accept=XML, **options)
    return caught.value


# -- asking ----------------------------------------------------------------------------------------------------------


def test_it_returns_body_validators_and_content_type(httpserver):
    answer = Response(b"<rss/>", content_type=XML, headers={"ETag": '"one"', "Last-Modified": "Thu, 02 Apr 2026"})
    serve(httpserver, "/feed", answer)
    url = httpserver.url_for("/feed")
    with client() as http:
        got = http.fetch(url, accept=XML)
    assert (got.url, got.body, got.content_type) == (url, b"<rss/>", XML)
    assert got.validators == Validators(etag='"one"', last_modified="Thu, 02 Apr 2026")
    assert not got.validators.unchanged


def test_it_says_who_asks_and_for_what(httpserver):
    seen = serve(httpserver, "/feed", Response(b"x"))
    with client() as http:
        http.fetch(httpserver.url_for("/feed?q=cs.LG+cs.CL&x=a%20b"), accept="application/atom+xml")
    headers = seen[0].headers
    assert headers["User-Agent"] == "digestmail/0 (+digest@example.org)"
    assert headers["Accept"] == "application/atom+xml"
    assert headers["Accept-Encoding"] == "gzip, deflate"
    assert headers["Host"] == f"localhost:{httpserver.port}"
    assert seen[0].query_string == b"q=cs.LG+cs.CL&x=a%20b"
    assert "If-None-Match" not in headers
    assert "If-Modified-Since" not in headers


def test_two_fetches_share_a_connection_that_the_server_keeps_open():
    with listening(answering(ok(b"one"), ok(b"two"))) as server, client() as http:
        bodies = [http.fetch(f"http://127.0.0.1:{server.port}/", accept=XML).body for _ in range(2)]
    assert bodies == [b"one", b"two"]
    assert server.connections == 1


def test_a_connection_the_server_gave_up_is_replaced():
    with listening(answering(ok(b"one"))) as server, client() as http:
        bodies = [http.fetch(f"http://127.0.0.1:{server.port}/", accept=XML).body for _ in range(2)]
    assert bodies == [b"one", b"one"]
    assert server.connections == 2


def test_an_empty_body_is_asked_for_once_more_when_wished(httpserver):
    seen = serve(httpserver, "/page", Response(b""), Response(b"full"))
    again = serve(httpserver, "/other", Response(b""))
    with client() as http:
        assert http.fetch(httpserver.url_for("/page"), accept=XML, retry_empty=True).body == b"full"
        assert http.fetch(httpserver.url_for("/other"), accept=XML, retry_empty=True).body == b""
        assert http.fetch(httpserver.url_for("/other"), accept=XML).body == b""
    assert len(seen) == 2
    assert len(again) == 3


# -- conditions ------------------------------------------------------------------------------------------------------


def test_stored_validators_are_sent_and_304_means_nothing_new(httpserver):
    seen = serve(httpserver, "/feed", Response(status=304))
    url = httpserver.url_for("/feed")
    known = Validators(etag='W/"caf\xe9"', last_modified="Wed, 01 Apr 2026 04:00:00 GMT")
    with client(known={url: known}) as http:
        got = http.fetch(url, accept=XML)
    assert seen[0].headers["If-None-Match"] == 'W/"caf\xe9"'
    assert seen[0].headers["If-Modified-Since"] == "Wed, 01 Apr 2026 04:00:00 GMT"
    assert got.body is None
    assert got.validators == known
    assert got.validators.unchanged


def test_a_304_may_bring_a_new_tag(httpserver):
    serve(httpserver, "/feed", Response(status=304, headers={"ETag": '"two"'}))
    url = httpserver.url_for("/feed")
    with client(known={url: Validators(etag='"one"', last_modified="then")}) as http:
        assert http.fetch(url, accept=XML).validators == Validators(etag='"two"', last_modified="then")


def test_a_200_without_validators_forgets_the_old_ones(httpserver):
    serve(httpserver, "/feed", Response(b"new"))
    url = httpserver.url_for("/feed")
    with client(known={url: Validators(etag='"one"')}) as http:
        assert http.fetch(url, accept=XML).validators == Validators()


def test_validators_stay_at_home_when_the_whole_is_wanted(httpserver):
    seen = serve(httpserver, "/feed", Response(b"whole"))
    url = httpserver.url_for("/feed")
    with client(known={url: Validators(etag='"one"')}) as http:
        http.fetch(url, accept=XML, conditional=False)
    assert "If-None-Match" not in seen[0].headers


def test_a_304_nobody_asked_for_is_unreadable(httpserver):
    serve(httpserver, "/feed", Response(status=304))
    with client() as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert isinstance(error, SourceUnreadableError)
    assert error.status == 304


def test_a_condition_of_the_fetch_allows_the_answer_304(httpserver):
    seen = serve(httpserver, "/list", Response(status=304, headers={"Last-Modified-Version": "8"}))
    with client() as http:
        got = http.fetch(
            httpserver.url_for("/list"), accept="application/json", headers={"If-Modified-Since-Version": "8"}
        )
    assert seen[0].headers["If-Modified-Since-Version"] == "8"
    assert got.body is None
    assert got.headers["last-modified-version"] == "8"


def test_a_server_under_load_gets_the_pause_that_it_asks_for_with_a_good_answer(httpserver):
    serve(httpserver, "/list", Response(b"[]", headers={"Backoff": "20"}), Response(b"[]"))
    clock, limits = FakeClock(), FakeHostLimits()
    with client(clock=clock, host_limits=limits) as http:
        assert http.fetch(httpserver.url_for("/list"), accept=XML).body == b"[]"
        assert http.fetch(httpserver.url_for("/list"), accept=XML).body == b"[]"
    assert clock.now() - THURSDAY >= timedelta(seconds=20)


def test_a_long_pause_is_not_waited_for(httpserver):
    seen = serve(httpserver, "/list", Response(b"[]", headers={"Backoff": "600"}))
    with client() as http:
        http.fetch(httpserver.url_for("/list"), accept=XML)
        error = failing(http, httpserver.url_for("/list"))
    assert isinstance(error, SourceThrottledError)
    assert error.status is None
    assert len(seen) == 1


# -- statuses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 410, 451])
def test_a_client_error_is_a_refusal_and_not_repeated(httpserver, status):
    seen = serve(httpserver, "/feed", Response(b"no", status=status))
    with client() as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert type(error) is SourceRefusedError
    assert error.status == status
    assert str(error).partition(";")[0] == f"{httpserver.url_for('/feed')} answered {status}"
    assert len(seen) == 1


@pytest.mark.parametrize("status", [500, 502, 504])
def test_passing_server_trouble_is_tried_four_times(httpserver, status):
    seen = serve(httpserver, "/feed", Response(status=status))
    clock = FakeClock()
    with client(clock=clock, timeout=30) as http:
        error = failing(http, httpserver.url_for("/feed"), min_interval=0.0)
    assert isinstance(error, SourceUnavailableError)
    assert not isinstance(error, SourceThrottledError)
    assert error.status == status
    assert len(seen) == 4
    assert 3.5 <= (clock.time - THURSDAY).total_seconds() <= 7.0


def test_the_pauses_between_attempts_are_not_all_the_same(httpserver):
    serve(httpserver, "/feed", Response(status=500))
    clock = FakeClock()
    ends = [clock.time]
    with client(clock=clock, timeout=30) as http:
        for _ in range(3):
            failing(http, httpserver.url_for("/feed"), min_interval=0.0)
            ends.append(clock.time)
    spans = {later - earlier for earlier, later in pairwise(ends)}
    assert len(spans) == 3


def test_trouble_that_passes_is_not_noticed(httpserver):
    serve(httpserver, "/feed", Response(status=502), Response(b"fine"))
    with client() as http:
        assert http.fetch(httpserver.url_for("/feed"), accept=XML).body == b"fine"


def test_retries_end_with_the_time_of_the_fetch(httpserver):
    seen = serve(httpserver, "/feed", Response(status=500))
    clock = FakeClock()
    with client(clock=clock, timeout=2.0) as http:
        failing(http, httpserver.url_for("/feed"), min_interval=0.0)
    assert 1 <= len(seen) < 4
    assert clock.time - THURSDAY < timedelta(seconds=2)


@pytest.mark.parametrize("status", [501, 505, 507])
def test_lasting_server_trouble_is_not_repeated(httpserver, status):
    seen = serve(httpserver, "/feed", Response(status=status))
    with client() as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert type(error) is SourceUnavailableError
    assert len(seen) == 1


@pytest.mark.parametrize("status", [204, 206, 300, 302, 305])
def test_any_other_status_is_unreadable(httpserver, status):
    serve(httpserver, "/feed", Response(status=status))
    with client() as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert type(error) is SourceUnreadableError
    assert error.status == status


def test_messages_do_not_show_the_query(httpserver):
    serve(httpserver, "/feed", Response(status=404))
    with client() as http:
        error = failing(http, httpserver.url_for("/feed?key=hush"))
    assert "hush" not in str(error)
    assert "/feed" in str(error)


# -- the connection --------------------------------------------------------------------------------------------------


def test_a_reset_is_tried_again():
    with listening(resetting, answering(ok(b"there"))) as server, client() as http:
        assert http.fetch(f"http://127.0.0.1:{server.port}/", accept=XML).body == b"there"


def test_a_port_nobody_listens_on_is_unavailable():
    with listening(resetting) as server:
        port = server.port
    with client() as http:
        error = failing(http, f"http://127.0.0.1:{port}/")
    assert isinstance(error, SourceUnavailableError)
    assert error.status is None


def test_a_body_shorter_than_promised_is_unavailable():
    with listening(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort")) as server, client() as http:
        error = failing(http, f"http://127.0.0.1:{server.port}/")
    assert isinstance(error, SourceUnavailableError)
    assert server.connections == 4


@pytest.mark.parametrize("answer", [b"220 mail.example.org ESMTP\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"a" * 500_000])
def test_what_is_not_http_is_unavailable(answer):
    with listening(answering(answer)) as server, client() as http:
        assert isinstance(failing(http, f"http://127.0.0.1:{server.port}/"), SourceUnavailableError)


# -- redirects -------------------------------------------------------------------------------------------------------


def moved(location: str, status: int = 302) -> Response:
    return Response(status=status, headers={"Location": location})


def raw_move(location: bytes) -> bytes:
    """Return a redirect no server's library would let pass."""
    return b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_it_follows_a_redirect_and_remembers_what_was_asked(httpserver, status):
    serve(httpserver, "/old", moved("/new", status))
    serve(httpserver, "/new", Response(b"here", headers={"ETag": '"n"'}))
    url = httpserver.url_for("/old")
    with client() as http:
        got = http.fetch(url, accept=XML)
    assert (got.url, got.body, got.validators.etag) == (url, b"here", '"n"')


def test_it_follows_five_redirects_but_not_six(httpserver):
    for number in range(6):
        serve(httpserver, f"/{number}", moved(f"/{number + 1}"))
    serve(httpserver, "/6", Response(b"end"))
    with client() as http:
        assert http.fetch(httpserver.url_for("/1"), accept=XML).body == b"end"
        assert isinstance(failing(http, httpserver.url_for("/0")), SourceRefusedError)


def test_a_redirect_in_a_circle_ends(httpserver):
    seen = serve(httpserver, "/loop", moved("/loop"))
    with client() as http:
        error = failing(http, httpserver.url_for("/loop"))
    assert isinstance(error, SourceRefusedError)
    assert len(seen) == 6


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "file:///etc/passwd",
        "gopher://localhost/",
        "http://user:secret@localhost/",
        "http://local host/",
        "http://[::1/",
        "http://localhost:99999/",
    ],
)
def test_a_redirect_is_checked_like_any_address(location):
    with listening(answering(raw_move(location.encode()))) as server, client(allowed=("localhost",)) as http:
        error = failing(http, f"http://localhost:{server.port}/")
    assert type(error) is SourceRefusedError
    assert "secret" not in str(error)
    assert server.connections == 1


def test_an_allowed_name_does_not_open_the_address_behind_it(httpserver):
    seen = serve(httpserver, "/feed", moved(f"http://127.0.0.1:{httpserver.port}/inside"))
    inside = serve(httpserver, "/inside", Response(b"secret"))
    with client(allowed=("LOCALHOST",)) as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert isinstance(error, SourceRefusedError)
    assert "127.0.0.1" in str(error)
    assert (len(seen), len(inside)) == (1, 0)


def test_a_redirect_spelled_in_raw_utf_8_is_followed():
    log: list[bytes] = []
    move = raw_move("/caf\u00e9?q=\u00fc".encode())
    with listening(answering(move), answering(ok(b"here"), log=log)) as server, client() as http:
        assert http.fetch(f"http://127.0.0.1:{server.port}/", accept=XML).body == b"here"
    assert log[0].startswith(b"GET /caf%C3%A9?q=%C3%BC HTTP/1.1")


# -- throttling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_blocks_the_host_and_is_reported(httpserver, status):
    seen = serve(httpserver, "/feed", Response(status=status, headers={"Retry-After": "120"}))
    host_limits = FakeHostLimits()
    with client(host_limits=host_limits, timeout=30) as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert isinstance(error, SourceThrottledError)
    assert (error.retry_after, error.status) == (120.0, status)
    assert host_limits.blocked == {"localhost": THURSDAY + timedelta(seconds=120)}
    assert len(seen) == 1


def test_retry_after_may_be_a_date():
    until = format_datetime(THURSDAY + timedelta(seconds=90), usegmt=True)
    answer = f"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nRetry-After: {until}\r\n\r\n".encode()
    host_limits = FakeHostLimits()
    with listening(answering(answer)) as server, client(host_limits=host_limits, timeout=30) as http:
        error = failing(http, f"http://127.0.0.1:{server.port}/")
    assert isinstance(error, SourceThrottledError)
    assert error.retry_after == 90.0
    assert host_limits.blocked == {"127.0.0.1": THURSDAY + timedelta(seconds=90)}


@pytest.mark.parametrize("status", [429, 503])
def test_throttling_without_a_time_is_not_answered_with_another_request(httpserver, status):
    seen = serve(httpserver, "/feed", Response(status=status))
    host_limits = FakeHostLimits()
    with client(host_limits=host_limits) as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert isinstance(error, SourceThrottledError)
    assert error.retry_after is None
    assert host_limits.blocked == {}
    assert len(seen) == 1


def test_a_short_wish_is_waited_out_once(httpserver):
    seen = serve(httpserver, "/feed", Response(status=429, headers={"Retry-After": "2"}), Response(b"now"))
    clock = FakeClock()
    with client(clock=clock) as http:
        assert http.fetch(httpserver.url_for("/feed"), accept=XML, min_interval=0.0).body == b"now"
    assert clock.time - THURSDAY == timedelta(seconds=2)
    assert len(seen) == 2


def test_a_second_wish_is_taken_for_a_no(httpserver):
    seen = serve(httpserver, "/feed", Response(status=503, headers={"Retry-After": "2"}))
    with client() as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert isinstance(error, SourceThrottledError)
    assert len(seen) == 2


# -- host limits -----------------------------------------------------------------------------------------------------


def test_requests_to_a_host_keep_their_distance(httpserver):
    serve(httpserver, "/feed", Response(b"x"))
    clock, host_limits = FakeClock(), FakeHostLimits()
    with client(clock=clock, host_limits=host_limits) as http:
        for _ in range(3):
            http.fetch(httpserver.url_for("/feed"), accept=XML, min_interval=3.0)
    assert host_limits.booked == [("localhost", THURSDAY + timedelta(seconds=3 * n)) for n in range(3)]
    assert clock.time == THURSDAY + timedelta(seconds=6)


def test_redirects_and_retries_wait_for_the_host_too(httpserver):
    serve(httpserver, "/old", moved("/new"))
    serve(httpserver, "/new", Response(status=500), Response(b"x"))
    host_limits = FakeHostLimits()
    with client(host_limits=host_limits) as http:
        http.fetch(httpserver.url_for("/old"), accept=XML, min_interval=3.0)
    moments = [moment for _, moment in host_limits.booked]
    assert len(moments) == 4
    assert all(later - earlier >= timedelta(seconds=3) for earlier, later in pairwise(moments))


def test_waiting_for_a_host_does_not_use_the_time_of_the_fetch(httpserver):
    serve(httpserver, "/feed", Response(b"x"))
    with client(timeout=1.0) as http:
        for _ in range(3):
            assert http.fetch(httpserver.url_for("/feed"), accept=XML, min_interval=20.0).body == b"x"


def test_a_host_blocked_for_long_is_not_asked(httpserver):
    seen = serve(httpserver, "/feed", Response(b"x"))
    clock, host_limits = FakeClock(), FakeHostLimits()
    host_limits.block("localhost", THURSDAY + timedelta(minutes=10))
    # Even where the fetch itself may take longer than that.
    with client(clock=clock, host_limits=host_limits, timeout=3600) as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert isinstance(error, SourceThrottledError)
    assert (error.retry_after, error.status) == (600.0, None)
    assert seen == []
    assert clock.time == THURSDAY


def test_a_host_blocked_for_a_moment_is_waited_for(httpserver):
    serve(httpserver, "/feed", Response(b"x"))
    clock, host_limits = FakeClock(), FakeHostLimits()
    host_limits.block("localhost", THURSDAY + timedelta(seconds=40))
    with client(clock=clock, host_limits=host_limits) as http:
        assert http.fetch(httpserver.url_for("/feed"), accept=XML).body == b"x"
    assert clock.time == THURSDAY + timedelta(seconds=40)


# -- size ------------------------------------------------------------------------------------------------------------


def test_packed_bodies_are_unpacked(httpserver):
    packed = gzip.compress(b"<rss/>" * 100)
    serve(httpserver, "/feed", Response(packed, headers={"Content-Encoding": "gzip"}))
    with client() as http:
        assert http.fetch(httpserver.url_for("/feed"), accept=XML).body == b"<rss/>" * 100


def test_a_body_over_the_cap_is_unreadable_and_named(httpserver):
    serve(httpserver, "/feed", Response(b"x" * 5001))
    serve(httpserver, "/fits", Response(b"x" * 5000))
    with client(max_body_bytes=5000) as http:
        error = failing(http, httpserver.url_for("/feed"))
        assert len(http.fetch(httpserver.url_for("/fits"), accept=XML).body or b"") == 5000
    assert isinstance(error, SourceUnreadableError)
    assert error.status == 200
    assert "/feed" in str(error)
    assert "5000 bytes" in str(error)


def test_a_gzip_bomb_costs_no_more_than_the_cap():
    bomb = gzip.compress(bytes(200_000_000), 9)
    with listening(answering(ok(bomb, "Content-Encoding: gzip"))) as server, client(max_body_bytes=2_000_000) as http:
        tracemalloc.start()
        try:
            error = failing(http, f"http://127.0.0.1:{server.port}/")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert isinstance(error, SourceUnreadableError)
    assert peak < 2 * 2_000_000


def test_a_body_without_end_stops_at_the_cap():
    def endless(connection, over):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")

    with listening(endless) as server, client(max_body_bytes=1_000_000) as http:
        assert isinstance(failing(http, f"http://127.0.0.1:{server.port}/"), SourceUnreadableError)


# -- pages instead of feeds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 429, 503])
@pytest.mark.parametrize(
    ("page", "service"),
    [
        ("<html><head><title>Just a moment...</title></head></html>", "challenge page of Cloudflare"),
        ("<html><title>Making sure you&#39;re not a bot!</title></html>", "challenge page of Anubis"),
        ("<html><body>Please verify you are human</body></html>", "challenge page, which only a browser"),
    ],
)
def test_a_refusal_that_is_a_challenge_is_called_one_and_not_asked_again(httpserver, status, page, service):
    seen = serve(httpserver, "/feed", Response(page, status=status, content_type="text/html"))
    with client() as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert isinstance(error, SourceRefusedError)
    assert (error.status, len(seen)) == (status, 1)
    assert service in str(error)
    assert "ask the site" in str(error)


def test_cloudflare_says_in_a_header_that_it_challenges(httpserver):
    headers = {"cf-mitigated": "challenge"}
    serve(httpserver, "/feed", Response("<html></html>", status=403, content_type="text/html", headers=headers))
    with client() as http:
        assert "challenge page of Cloudflare" in str(failing(http, httpserver.url_for("/feed")))


def test_a_page_that_forbids_is_called_one(httpserver):
    serve(httpserver, "/feed", Response("<html>blocked</html>", status=403, content_type="text/html; charset=utf-8"))
    with client() as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert isinstance(error, SourceRefusedError)
    assert "answered 403 with a web page, as sites do that let only browsers in; ask the site" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        Response("Just a moment...", status=403, content_type="text/plain"),
        Response("<html>" + "x" * 2_000_000 + "hcaptcha.com", status=403, content_type="text/html"),
        Response("<html>sorry</html>", status=404, content_type="text/html"),
    ],
)
def test_any_other_refusal_is_just_a_refusal(httpserver, answer):
    serve(httpserver, "/feed", answer)
    with client() as http:
        error = failing(http, httpserver.url_for("/feed"))
    assert isinstance(error, SourceRefusedError)
    assert str(error).endswith(f"answered {answer.status_code}")


def test_it_says_where_a_redirect_led(httpserver):
    serve(httpserver, "/old/feed", Response(status=302, headers={"Location": "/new/place/feed.xml?a=1"}))
    serve(httpserver, "/new/place/feed.xml", Response(b"<rss/>", content_type=XML))
    url = httpserver.url_for("/old/feed")
    with client() as http:
        moved = http.fetch(url, accept=XML)
        plain = http.fetch(httpserver.url_for("/new/place/feed.xml"), accept=XML)
    assert (moved.url, moved.found_at) == (url, httpserver.url_for("/new/place/feed.xml?a=1"))
    assert (plain.found_at, plain.redirected_to) == (plain.url, None)


def test_a_packed_file_is_unpacked_and_a_plain_one_read_whatever_the_header_says(httpserver):
    serve(httpserver, "/feed.xml.gz", Response(gzip.compress(b"<rss/>"), content_type="application/x-gzip"))
    serve(httpserver, "/plain", Response(b"<rss/>", content_type=XML, headers={"Content-Encoding": "gzip"}))
    with client() as http:
        bodies = [http.fetch(httpserver.url_for(path), accept=XML).body for path in ("/feed.xml.gz", "/plain")]
    assert bodies == [b"<rss/>", b"<rss/>"]
