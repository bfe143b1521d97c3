"""Chats through the real Apprise, against services on loopback."""

from __future__ import annotations

import logging
import sys

import pytest
from output_receiving import message
from werkzeug import Response

from digestmail.errors import OutputError
from digestmail.outputs.chat import Chat, fingerprint


def chat(url: str, timeout: float = 5.0) -> Chat:
    return Chat(url=url, timeout=timeout, base_url="https://digest.example.org")


def place(httpserver, path: str = "") -> str:
    return f"{httpserver.host}:{httpserver.port}{path}"


def bodies(httpserver) -> list[dict]:
    return [request.get_json() for request, _ in httpserver.log]


def test_a_json_service_gets_the_text_once(httpserver):
    httpserver.expect_request("/room").respond_with_data("ok")

    assert chat(f"json://{place(httpserver, '/room')}").send(message("A Cache", "B")) == "JSON"

    (body,) = bodies(httpserver)
    assert body["title"] == "Trending papers"
    assert "1. A Cache\nhttps://arxiv.org/abs/2604.00001" in body["message"]
    assert "https://digest.example.org/daily/2026-04-02" in body["message"]


def test_ntfy_gets_the_text_once(httpserver):
    httpserver.expect_request("/", method="POST").respond_with_json({})

    assert chat(f"ntfy://{place(httpserver, '/papers')}").send(message("A Cache")) == "ntfy"

    (body,) = bodies(httpserver)
    assert body["topic"] == "papers"
    assert "A Cache" in body["message"]


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
def test_a_refusal_is_a_failure_with_its_status_and_without_the_url(httpserver, status):
    httpserver.expect_request("/secret-room").respond_with_data("no: /secret-room", status=status)

    with pytest.raises(OutputError) as raised:
        chat(f"json://user:made-up-password@{place(httpserver, '/secret-room')}").send(message("A"))
    assert str(raised.value) == f"JSON answered {status}"
    assert raised.value.status == status
    assert not raised.value.permanent
    assert len(httpserver.log) == 1, "Apprise does not repeat it by itself"


def test_a_service_that_cannot_be_reached_is_a_failure():
    with pytest.raises(OutputError, match="cannot be reached"):
        chat("json://127.0.0.1:1/room").send(message("A"))


def test_a_mention_in_a_title_arrives_as_text(httpserver):
    httpserver.expect_request("/room").respond_with_data("ok")
    chat(f"json://{place(httpserver, '/room')}").send(message("@everyone <!here>"))

    (body,) = bodies(httpserver)
    assert "@everyone" not in body["message"]
    assert "<!here" not in body["message"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nosuchservice://x/made-up-secret", "does not know this URL"),
        ("slack://made-up-secret", "does not know this URL"),
        ("ntfy://localhost/one-secret/two-secret", "names 2 destinations of ntfy"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_permanent_failure_that_does_not_show_it(url, problem):
    with pytest.raises(OutputError, match=problem) as raised:
        chat(url).send(message("A"))
    assert raised.value.permanent
    assert "secret" not in str(raised.value)
    assert chat(url).problems() == (str(raised.value),)


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("digestmail.outputs.chat.find_spec", lambda _: None)

    with pytest.raises(OutputError, match=r"pip install 'digestmail\[apprise\]'"):
        chat("ntfy://x").send(message("A"))


def test_the_time_limit_of_the_output_is_that_of_the_service(httpserver):
    _, service = chat(f"json://{place(httpserver)}", timeout=33.0)._opened()

    assert (service.socket_connect_timeout, service.socket_read_timeout) == (33.0, 33.0)
    assert service.request_timeout == (33.0, 33.0)


def test_a_fingerprint_tells_urls_apart_and_shows_nothing_of_them():
    assert fingerprint("ntfy://secret-topic") != fingerprint("ntfy://secret-topic2")
    assert "secret" not in fingerprint("ntfy://secret-topic")
    assert len(fingerprint("x")) == 12


def test_a_text_in_other_scripts_arrives_unharmed(httpserver):
    httpserver.expect_request("/room").respond_with_handler(lambda _: Response("ok"))
    chat(f"json://{place(httpserver, '/room')}").send(message("מודלים & *קטנים* `x` \\n"))

    assert "מודלים & *קטנים* `x` \\n" in bodies(httpserver)[0]["message"]
    assert "apprise" in sys.modules


class Kept(logging.Handler):
    """Keeps every record."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record)


def test_what_apprise_logs_goes_neither_into_our_log_nor_to_standard_error(httpserver, capfd):
    httpserver.expect_request("/room").respond_with_data("no", status=500)
    handler = Kept()
    logging.getLogger().addHandler(handler)
    try:
        with pytest.raises(OutputError):
            chat(f"json://{place(httpserver, '/room')}").send(message("A"))
    finally:
        logging.getLogger().removeHandler(handler)

    assert [one for one in handler.seen if one.name == "apprise" and one.levelno >= logging.WARNING] == []
    assert capfd.readouterr() == ("", "")
