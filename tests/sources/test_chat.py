"""The client of a chat endpoint: what it sends, and what becomes of each answer."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import httpcore2
import pytest
from chat import SENTENCE, ChatServer, answer
from fakes import FakeClock
from hypothesis import given
from hypothesis import strategies as st
from loopback import FakeHostLimits, listening, resetting
from werkzeug import Response

from digestmail.errors import (
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
)
from digestmail.model.summaries import ChatAnswer
from digestmail.sources.chat import ChatEndpoint, parse_answer

KEY = "sk-made-up-for-this-test"


def endpoint(url: str, **options: Any) -> ChatEndpoint:
    given: dict[str, Any] = {
        "model": "small",
        "api_key": KEY,
        "timeout": 10.0,
        "max_body_bytes": 100_000,
        "max_tokens": 500,
        "schema": {"type": "object"},
        "clock": FakeClock(),
        "host_limits": FakeHostLimits(),
        "user_agent": "digestmail/0",
    }
    return ChatEndpoint(url=url, **(given | options))


def ask(url: str, **options: Any) -> ChatAnswer:
    with endpoint(url, **options) as opened:
        return opened.ask("Write.", "Übung", timeout=5.0)


def failing(url: str, **options: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        ask(url, **options)
    return caught.value


@pytest.fixture
def server(httpserver):
    return ChatServer(httpserver)


@pytest.fixture
def url(httpserver) -> str:
    return httpserver.url_for("/v1")


def refusing(message: str, *words: str, status: int = 400):
    """Refuse requests with one of the parameters `words`."""

    def reply(request: dict[str, Any]) -> Any:
        if set(words) & request.keys():
            return Response(json.dumps({"error": {"message": message}}), status=status)
        return SENTENCE

    return reply


def test_it_sends_two_messages_and_returns_the_text(server, url):
    server.reply = lambda _: "Rivers."
    assert ask(url + "/") == ChatAnswer(text="Rivers.", tokens=300)
    (request,) = server.requests
    sent = request.get_json()
    assert sent["model"] == "small"
    assert sent["messages"] == [{"role": "system", "content": "Write."}, {"role": "user", "content": "Übung"}]
    assert sent["max_tokens"] == 500
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert not {"tools", "functions", "stream", "user", "metadata"} & sent.keys()
    assert request.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Unsupported parameter: 'max_tokens': use 'max_completion_tokens' instead.", ("max_tokens",)),
        ("Unsupported value: 'temperature' does not support 0.2 with this model.", ("temperature",)),
        ("This response_format type is unavailable now", ("response_format",)),
        ("failed to parse grammar", ("response_format",)),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_parameter_that_the_endpoint_refuses_is_left_out_from_then_on(server, url, message, words, status):
    server.reply = refusing(message, *words, status=status)
    with endpoint(url) as opened:
        for _ in range(2):
            assert opened.ask("Write.", "This", timeout=5.0).text == SENTENCE
    first, *later = [request.get_json() for request in server.requests]
    assert set(words) <= first.keys()
    assert len(later) == 2
    assert not any(set(words) & sent.keys() for sent in later)
    assert all(sent.get("max_completion_tokens") == (500 if "max_tokens" in words else None) for sent in later)


def test_an_endpoint_that_refuses_every_parameter_gets_none(server, url):
    server.reply = refusing(
        "temperature, max_tokens, max_completion_tokens, response_format: no",
        *("temperature", "max_tokens", "max_completion_tokens", "response_format"),
    )
    assert ask(url).text == SENTENCE
    assert server.requests[-1].get_json().keys() == {"model", "messages"}


def test_an_endpoint_that_blames_parameters_that_it_does_not_get_is_refused(server, url):
    server.reply = lambda _: Response('{"error": "temperature max_tokens response_format"}', status=400)
    error = failing(url)
    assert isinstance(error, SourceRefusedError)
    assert len(server.requests) <= 5


def test_any_other_refusal_is_not_repeated(server, url):
    server.reply = lambda _: Response('{"error": {"message": "the prompt is too long"}}', status=400)
    assert str(failing(url)).endswith("answered 400: the prompt is too long")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("found", "text", "complete", "tokens"),
    [
        (answer("A b."), "A b.", True, 300),
        (answer("A b.", finish="length"), "A b.", False, 300),
        (answer("A b.", finish=None, tokens=None), "A b.", True, None),
        (
            answer([{"type": "text", "text": "A "}, {"type": "image"}, {"type": "text", "text": "b."}]),
            "A b.",
            True,
            300,
        ),
        (answer("A b.") | {"usage": {"prompt_tokens": 7, "completion_tokens": 2}}, "A b.", True, 9),
        (answer("A b.") | {"usage": {"total_tokens": -1}}, "A b.", True, None),
        (answer("A b.") | {"usage": {"total_tokens": 10**30}}, "A b.", True, None),
        (answer("A b.") | {"usage": {"total_tokens": True}}, "A b.", True, None),
        (answer("A b.") | {"usage": "many"}, "A b.", True, None),
        (answer("A b.", refusal=None, reasoning_content="Hm."), "A b.", True, 300),
    ],
)
def test_answers_are_read_in_all_their_shapes(found, text, complete, tokens):
    assert parse_answer(json.dumps(found).encode()) == ChatAnswer(text=text, complete=complete, tokens=tokens)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, "without `choices`"),
        ([], "without `choices`"),
        ({"choices": []}, "without `choices`"),
        ({"choices": ["x"]}, "without `choices`"),
        ({"error": {"message": "model\n is loading"}}, "an error: model  is loading"),
        ({"choices": [{}]}, "no text"),
        (answer(None, tool_calls=[{"function": {"name": "send"}}], finish="tool_calls"), "no text .finish_reason tool"),
        (answer(""), "no text"),
        (answer({"text": "x"}), "no text"),
        (answer("x", finish="content_filter"), "refusal"),
        (answer("x", refusal="I cannot"), "refusal"),
    ],
)
def test_an_answer_without_text_is_an_error_that_says_so(found, said):
    with pytest.raises(ValueError, match=said):
        parse_answer(json.dumps(found).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
)


@given(
    st.binary() | JSON.map(lambda one: json.dumps({"choices": [{"message": {"content": one}}], "usage": one}).encode())
)
def test_no_answer_raises_anything_but_a_value_error(content):
    with suppress(ValueError):
        assert parse_answer(content).text.strip()


def test_an_unreadable_or_huge_answer_names_the_server(server, url):
    server.reply = lambda _: Response("<html>")
    error = failing(url)
    assert isinstance(error, SourceUnreadableError)
    assert str(error) == f"{url}/chat/completions answered no JSON"
    server.reply = lambda _: answer("x" * 200_000)
    assert "larger than 100000 bytes" in str(failing(url))


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_wants_a_pause_gets_it(server, url, status):
    server.reply = lambda _: Response(status=status, headers={"Retry-After": "70"})
    limits, clock = FakeHostLimits(), FakeClock()
    error = failing(url, host_limits=limits, clock=clock)
    assert isinstance(error, SourceThrottledError)
    assert error.retry_after == 70
    assert "pause of another 70 seconds" in str(failing(url, host_limits=limits, clock=clock))
    assert len(server.requests) == 1


def test_a_redirect_is_not_followed_and_the_key_is_never_shown(server, url, httpserver):
    server.reply = lambda _: Response(status=307, headers={"Location": httpserver.url_for("/elsewhere")})
    assert "set summaries.url" in str(failing(url))
    server.reply = lambda _: Response(json.dumps({"error": f"wrong key {KEY}"}), status=403)
    assert KEY not in str(failing(url))
    server.reply = lambda _: Response(json.dumps({"error": f"wrong key {KEY}"}), status=401)
    assert "the key in [summaries] is wrong" in str(failing(url))
    assert {request.path for request, _ in httpserver.log} == {"/v1/chat/completions"}


def test_a_server_that_hangs_up_or_is_not_there_is_unavailable():
    with listening(resetting) as listener:
        port = listener.port
        assert isinstance(failing(f"http://127.0.0.1:{port}/v1"), SourceUnavailableError)
    assert isinstance(failing(f"http://127.0.0.1:{port}/v1"), SourceUnavailableError)


@pytest.mark.parametrize(("left", "seconds"), [(60.0, 5.0), (2.0, 2.0)])
def test_a_host_that_does_not_respond_costs_five_seconds_at_most(monkeypatch, left, seconds):
    allowed: list[float] = []

    def swallow(_backend: object, _host: str, _port: int, timeout: float, *_: object) -> None:
        allowed.append(timeout)
        raise httpcore2.ConnectTimeout

    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", swallow)
    with endpoint("http://127.0.0.1:9/v1", timeout=60.0) as opened, pytest.raises(SourceUnavailableError):
        opened.ask("Write.", "This", timeout=left)
    assert allowed == [seconds]
