"""The client of an embeddings endpoint: what it sends, and what becomes of each answer."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeClock
from hypothesis import given
from hypothesis import strategies as st
from loopback import FakeHostLimits, listening, resetting
from werkzeug import Request, Response

from digestmail.errors import (
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
)
from digestmail.sources.embeddings import EmbeddingsEndpoint, parse_vectors

KEY = "sk-made-up-for-this-test"


def endpoint(url: str, **options) -> EmbeddingsEndpoint:
    given = {
        "model": "small",
        "api_key": None,
        "timeout": 10.0,
        "max_body_bytes": 100_000,
        "max_characters": 50,
        "clock": FakeClock(),
        "host_limits": FakeHostLimits(),
        "user_agent": "digestmail/0",
    }
    return EmbeddingsEndpoint(url=url, **(given | options))


def rows(*vectors: object) -> str:
    return json.dumps({"data": [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]})


def serve(httpserver, body: str | bytes = "", status: int = 200, **headers: str) -> list[Request]:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(body, status=status, content_type="application/json", headers=headers)

    httpserver.expect_request("/v1/embeddings", method="POST").respond_with_handler(answer)
    return seen


def failing(url: str, texts: tuple[str, ...] = ("a", "b"), **options) -> SourceError:
    with endpoint(url, **options) as opened, pytest.raises(SourceError) as caught:
        opened.embed(texts)
    return caught.value


@pytest.mark.parametrize("slash", ["", "/"])
def test_it_posts_model_and_texts_and_returns_the_vectors(httpserver, slash):
    seen = serve(httpserver, rows([1, 0.5], [-2.0, 0]))
    with endpoint(httpserver.url_for("/v1" + slash), api_key=KEY) as opened:
        assert opened.embed(["Übung", "x" * 60]) == [(1.0, 0.5), (-2.0, 0.0)]
    (request,) = seen
    assert request.get_json() == {"model": "small", "input": ["Übung", "x" * 50]}
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Content-Type"] == "application/json"


def test_without_a_key_it_sends_none(httpserver):
    seen = serve(httpserver, rows([1.0]))
    with endpoint(httpserver.url_for("/v1")) as opened:
        opened.embed(["a"])
    assert "Authorization" not in seen[0].headers


def test_vectors_are_returned_in_the_order_of_the_texts_whatever_the_order_of_the_answer():
    content = json.dumps({"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]})
    assert parse_vectors(content.encode(), 2) == [(1.0,), (2.0,)]


def test_without_indexes_the_order_counts():
    assert parse_vectors(b'{"data": [{"embedding": [1]}, {"embedding": [2]}]}', 2) == [(1.0,), (2.0,)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "no JSON"),
        ("<html>", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "without a list of embeddings"),
        ('{"embeddings": [[1], [2]]}', "without a list of embeddings"),
        ('{"data": [[1], [2]]}', "without a list of embeddings"),
        (rows([1.0]), "1 vectors for 2 texts"),
        (rows([1.0], [1.0], [1.0]), "3 vectors for 2 texts"),
        (rows([1.0], [1.0, 2.0]), "different lengths: 1, 2"),
        (rows([1.0], []), "not a list of numbers"),
        (rows([1.0], None), "not a list of numbers"),
        (rows([1.0], "AACAPw=="), "not a list of numbers"),
        (rows([1.0], [True]), "not a list of numbers"),
        (rows([1.0], ["1"]), "not a list of numbers"),
        (rows([1.0], [float("nan")]), "not finite"),
        (rows([1.0], [float("inf")]), "not finite"),
        (rows([1.0], [10**400]), "not finite"),
        (rows([0.0], [1.0]), "zeros"),
        (rows([1.0] * 9000, [1.0] * 9000), "more than 8192 dimensions"),
        ('{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}', "indexes"),
        ('{"data": [{"index": 1, "embedding": [1]}, {"index": 2, "embedding": [1]}]}', "indexes"),
        ('{"data": [{"index": "0", "embedding": [1]}, {"index": 1, "embedding": [1]}]}', "indexes"),
    ],
)
def test_an_answer_that_is_not_one_vector_for_each_text_is_an_error_that_says_so(body, said):
    with pytest.raises(ValueError, match=said):
        parse_vectors(body.encode(), 2)


@given(
    st.binary()
    | st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=9).map(
        lambda value: json.dumps({"data": [{"embedding": value}]}).encode()
    )
)
def test_no_answer_raises_anything_else(content):
    with suppress(ValueError):
        assert len(parse_vectors(content, 1)) == 1


def test_an_unreadable_answer_names_the_server(httpserver):
    serve(httpserver, rows([1.0]))
    error = failing(httpserver.url_for("/v1"))
    assert isinstance(error, SourceUnreadableError)
    assert str(error) == f"{httpserver.url_for('/v1/embeddings')} answered 1 vectors for 2 texts"


def test_a_huge_answer_is_not_read_to_its_end(httpserver):
    serve(httpserver, b" " * 200_000)
    assert "larger than 100000 bytes" in str(failing(httpserver.url_for("/v1")))


@pytest.mark.parametrize(("key", "hint"), [(None, "is missing: set api_key_file"), (KEY, "is wrong")])
def test_a_refused_login_says_what_to_do_and_shows_no_key(httpserver, key, hint):
    serve(httpserver, json.dumps({"error": {"message": f"no such key {KEY}"}}), status=401)
    error = failing(httpserver.url_for("/v1"), api_key=key)
    assert isinstance(error, SourceRefusedError)
    assert hint in str(error)
    assert KEY not in str(error)


@pytest.mark.parametrize("shape", [{"error": {"message": "{}"}}, {"error": "{}"}, {"message": "{}"}])
def test_what_the_server_says_about_a_refusal_is_one_printable_line_without_the_key(httpserver, shape):
    said = f"model \x1b[31m'small'\nnot found for {KEY}"
    serve(httpserver, json.dumps(shape).replace("{}", json.dumps(said)[1:-1]), status=404)
    error = failing(httpserver.url_for("/v1"), api_key=KEY)
    assert str(error).endswith("answered 404: model  [31m'small' not found for (key)")
    assert error.status == 404


@pytest.mark.parametrize(("status", "wait"), [(429, 70), (503, 70)])
def test_a_throttled_request_waits_until_the_server_allows_the_next(httpserver, status, wait):
    seen = serve(httpserver, status=status, **{"Retry-After": str(wait)})
    limits, clock = FakeHostLimits(), FakeClock()
    error = failing(httpserver.url_for("/v1"), host_limits=limits, clock=clock)
    assert isinstance(error, SourceThrottledError)
    assert error.retry_after == wait
    assert limits.blocked == {"localhost": THURSDAY + timedelta(seconds=wait)}
    assert "pause of another 70 seconds" in str(failing(httpserver.url_for("/v1"), host_limits=limits, clock=clock))
    assert len(seen) == 1
    clock.sleep(wait)
    failing(httpserver.url_for("/v1"), host_limits=limits, clock=clock)
    assert len(seen) == 2


def test_a_pause_of_a_few_seconds_is_waited_for(httpserver):
    serve(httpserver, rows([1.0]))
    limits, clock = FakeHostLimits(), FakeClock()
    limits.reserve("localhost", clock.now(), 3.0)
    with endpoint(httpserver.url_for("/v1"), host_limits=limits, clock=clock) as opened:
        assert opened.embed(["a"]) == [(1.0,)]
    assert clock.now() == THURSDAY + timedelta(seconds=3)


def test_throttling_without_a_time_pauses_for_five_minutes(httpserver):
    serve(httpserver, status=429)
    error = failing(httpserver.url_for("/v1"))
    assert isinstance(error, SourceThrottledError)
    assert error.retry_after == 300


def test_a_redirect_is_not_followed(httpserver):
    elsewhere = httpserver.url_for("/elsewhere")
    serve(httpserver, status=307, Location=elsewhere)
    error = failing(httpserver.url_for("/v1"))
    assert "set embeddings.url" in str(error)
    assert [request.path for request, _ in httpserver.log] == ["/v1/embeddings"]


def test_a_server_that_hangs_up_is_unavailable():
    with listening(resetting) as listener:
        error = failing(f"http://127.0.0.1:{listener.port}/v1")
    assert isinstance(error, SourceUnavailableError)
    assert "cannot be reached" in str(error)


def test_a_server_that_is_not_there_is_unavailable():
    with listening(resetting) as listener:
        port = listener.port
    assert isinstance(failing(f"http://127.0.0.1:{port}/v1"), SourceUnavailableError)
