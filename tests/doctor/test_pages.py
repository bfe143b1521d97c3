"""The web pages from outside: health, one click, and what is between them and the reader."""

from __future__ import annotations

import pytest

from digestmail.doctor.findings import Severity
from digestmail.doctor.pages import probe_one_click, probe_pages
from digestmail.errors import SourceUnavailableError
from digestmail.sources.http.exchange import HttpResponse

BASE = "https://digest.example.org"


class Http:
    """Answers every request alike."""

    def __init__(self, answer: HttpResponse | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, bytes | None]] = []

    def send(self, method: str, url: str, *, form: bytes | None = None) -> HttpResponse:
        self.asked.append((method, url, form))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def response(status: int, body: bytes = b"", **headers: str) -> HttpResponse:
    return HttpResponse(status=status, headers=headers, body=body)


@pytest.mark.parametrize(
    ("answer", "severity"),
    [
        (response(200, b"ok\n"), Severity.OK),
        (response(200, b"<html>someone else"), Severity.FAIL),
        (response(404), Severity.FAIL),
        (response(502), Severity.FAIL),
        (response(301, location="https://elsewhere.example/"), Severity.FAIL),
        (SourceUnavailableError("cannot be reached"), Severity.FAIL),
    ],
)
def test_the_pages_answer_at_their_address(answer, severity):
    http = Http(answer)
    (finding,) = probe_pages(http, BASE)
    assert finding.severity is severity
    assert http.asked == [("GET", f"{BASE}/healthz", None)]
    assert bool(finding.fix) == (severity is Severity.FAIL)


def test_an_address_without_https_is_a_warning():
    first, second = probe_pages(Http(response(200, b"ok\n")), "http://digest.example.org")
    assert (first.severity, second.severity) == (Severity.WARN, Severity.OK)


@pytest.mark.parametrize(
    ("answer", "severity", "text"),
    [
        (response(200, b"unsubscribed\n"), Severity.OK, "one click unsubscribes"),
        (response(200, b"<html>welcome"), Severity.FAIL, "answered 200"),
        (response(404, b"<html>"), Severity.FAIL, "not known there"),
        (response(401), Severity.FAIL, "needs a login"),
        (response(403), Severity.FAIL, "needs a login"),
        (response(308, location=f"{BASE}/digest/unsubscribe/x"), Severity.FAIL, "redirected (308)"),
        (response(405), Severity.FAIL, "405"),
        (SourceUnavailableError("cannot be reached"), Severity.FAIL, "cannot be reached"),
    ],
)
def test_one_click_is_answered_as_rfc_8058_says(answer, severity, text):
    http = Http(answer)
    (finding,) = probe_one_click(http, BASE, "TOKEN")
    assert finding.severity is severity
    assert text in finding.text
    assert http.asked == [("POST", f"{BASE}/unsubscribe/TOKEN", b"List-Unsubscribe=One-Click")]
    assert "TOKEN" not in finding.text + finding.fix


def test_a_redirect_names_the_final_address():
    (finding,) = probe_one_click(Http(response(301, location=f"{BASE}/d/unsubscribe/x")), BASE, "x")
    assert finding.fix == f"set base_url to the final address ({BASE}/d)"


def test_without_an_address_there_is_nothing_to_ask():
    http = Http(response(500))
    found = [*probe_pages(http, None), *probe_one_click(http, None, "x")]
    assert [one.severity for one in found] == [Severity.SKIP] * 2
    assert http.asked == []
