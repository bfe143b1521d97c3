"""Who may ask the preview, and what its answers forbid the browser."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from digestmail.errors import DigestmailError
from digestmail.preview.server import listening, new_token

TOKEN = "a-token-of-the-tests"


def ask(address: str, path: str, method: str = "GET", body: str | None = None, **headers: str):
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["/", "/mail.html", "//mail.html", "/a-token-of-the-testz/", "/%00/", "/%C3%A9/"])
def test_without_the_token_there_is_nothing(address, path):
    status, _, body = ask(address, path)
    assert status == 404
    assert "digest" not in body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "169.254.1.1"])
def test_a_foreign_host_is_refused_even_with_the_token(address, host):
    status, _, _ = ask(address, f"/{TOKEN}/", Host=host)
    assert status in {400, 403}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "[::1]:80"])
def test_every_name_of_loopback_is_served(address, host):
    assert ask(address, f"/{TOKEN}/changes", Host=host)[0] == 200


def test_nothing_is_sent_by_get_or_from_another_origin(address, site):
    path = f"/{TOKEN}/send?edition=sample"
    body = "address=me%40example.org"
    assert ask(address, f"{path}&{body}")[0] == 405
    assert ask(address, path, "POST", body, Origin="https://evil.example", **FORM)[0] == 403
    assert ask(address, path, "POST", body, Origin="null", **FORM)[0] == 403
    assert ask(address, "/wrong/send", "POST", body, **FORM)[0] == 404
    assert not list((site.mailbox / "new").iterdir())

    assert ask(address, path, "POST", body, Origin=address.removesuffix(f"/{TOKEN}/"), **FORM)[0] == 200
    assert len(list((site.mailbox / "new").iterdir())) == 1


def test_an_address_cannot_smuggle_a_header(address, site):
    status, _, body = ask(
        address, f"/{TOKEN}/send", "POST", "address=me%40example.org%0D%0ABcc%3A+x%40example.org", **FORM
    )
    assert status == 502
    assert "is not an email address" in body
    assert not list((site.mailbox / "new").iterdir())


def test_the_page_may_load_only_its_own(address):
    status, headers, body = ask(address, f"/{TOKEN}/")
    policy = headers["content-security-policy"]
    assert status == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "<style" not in body
    assert " style=" not in body


def test_the_email_runs_no_scripts_in_its_frame(address):
    status, headers, _ = ask(address, f"/{TOKEN}/mail.html?edition=sample&images=off")
    policy = headers["content-security-policy"]
    assert status == 200
    assert "default-src 'none'" in policy
    assert "img-src 'none'" in policy
    assert "sandbox" in policy
    assert "script" not in policy


def test_only_the_page_s_own_files_are_served(address):
    assert ask(address, f"/{TOKEN}/static/preview.css")[0] == 200
    for name in ("..%2Femail%2Fedition.mjml", "page.html", "x"):
        assert ask(address, f"/{TOKEN}/static/{name}")[0] == 404


def test_tokens_are_long_and_never_the_same():
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) == 32


def test_a_port_in_use_is_an_error():
    with (
        listening(0) as taken,
        pytest.raises(DigestmailError, match="cannot be used"),
        listening(taken.getsockname()[1]),
    ):
        pass
