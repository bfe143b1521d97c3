"""One click, as mail programs and filters really send it: the token decides, and nothing else."""

from __future__ import annotations

import pytest
from fakes import THURSDAY
from site_fixture import Site, opened

from digestmail.model.subscribers import Subscription
from digestmail.storage import subscribers

DIGESTS = ["daily", "weekly"]
_FORM = "application/x-www-form-urlencoded"
BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "form": (b"List-Unsubscribe=One-Click", {"Content-Type": _FORM}),
    "form, another case": (
        b"list-unsubscribe=one-click",
        {"Content-Type": "Application/X-WWW-Form-URLEncoded; charset=x"},
    ),
    "form, empty": (b"", {"Content-Type": _FORM}),
    "form, broken": (b"%%%=&&\xff\x00;=", {"Content-Type": _FORM}),
    "text": (b"List-Unsubscribe=One-Click", {"Content-Type": "text/plain"}),
    "json": (b'{"List-Unsubscribe": "One-Click"}', {"Content-Type": "application/json"}),
    "broken json": (b"{", {"Content-Type": "application/json"}),
    "no type": (b"List-Unsubscribe=One-Click", {}),
    "no body": (b"", {}),
    "nonsense type": (b"x", {"Content-Type": "\xff;;;="}),
    "multipart": (
        b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
        {"Content-Type": "multipart/form-data; boundary=b"},
    ),
    "multipart without boundary": (b"--b\r\n\r\n--b--", {"Content-Type": "multipart/form-data"}),
    "multipart cut": (
        b'--b\r\nContent-Disposition: form-data; name="L',
        {"Content-Type": "multipart/form-data; boundary=b"},
    ),
    "multipart with another boundary": (b"--c\r\n\r\nx\r\n--c--", {"Content-Type": "multipart/form-data; boundary=b"}),
    "multipart with a file": (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nx\r\n--b--\r\n',
        {"Content-Type": "multipart/form-data; boundary=b"},
    ),
    "multipart in an unknown charset": (
        b'--b\r\nContent-Disposition: form-data; name="L"\r\n\r\n\xff\r\n--b--\r\n',
        {"Content-Type": "multipart/form-data; boundary=b; charset=nonsense"},
    ),
    "too large": (b"x" * 200_000, {"Content-Type": _FORM}),
    "many fields": (b"&".join(b"f%d=1" % number for number in range(2000)), {"Content-Type": _FORM}),
    "another site": (b"", {"Sec-Fetch-Site": "cross-site", "Origin": "https://mail.example"}),
}


@pytest.fixture
def site(tmp_path, database_url):
    with opened(tmp_path, database_url) as site:
        with site.app.database.begin() as connection:
            reader = subscribers.add(connection, "reader@example.org", THURSDAY)
            for name in DIGESTS:
                subscribers.subscribe(connection, reader, Subscription(digest=name), THURSDAY)
        yield site


def has(site: Site) -> list[str]:
    with site.app.database.connect() as connection:
        return [one.digest for one in subscribers.find(connection, "reader@example.org").subscriptions]


def reset(site: Site) -> None:
    with site.app.database.begin() as connection:
        subscribers.add(connection, "reader@example.org", THURSDAY)
        for name in DIGESTS:
            subscribers.subscribe(connection, 1, Subscription(digest=name), THURSDAY)


def test_whatever_the_body_and_its_type(site):
    token = site.app.tokens.unsubscribe(1, "daily")
    for name, (body, headers) in BODIES.items():
        reset(site)
        answer = site.ask("POST", f"/unsubscribe/{token}", body, headers)
        assert (answer.status, answer.body) == (200, "unsubscribed\n"), name
        assert not {"location", "set-cookie"} & {header.lower() for header in answer.headers}, name
        assert has(site) == ["weekly"], name
        assert site.ask("POST", f"/unsubscribe/{token}", body, headers).status == 200, name


def test_links_that_programs_changed_on_the_way(site):
    token = site.app.tokens.unsubscribe(1, "daily")
    half = len(token) // 2
    paths = [
        f"{token}{behind}"
        for behind in (
            ".",
            "%3E",
            "/",
            ",",
            ")",
            "%22",
            "%20",
            "%0D%0A",
            "&utm_source=x",
            "?utm_source=x",
            ";",
            "%E2%80%9D",
            "=",
        )
    ] + [
        f"{token[:half]}=%0D%0A{token[half:]}",
        f"{token[:half]}%20{token[half:]}",
        f"%3C{token}%3E",
        token.replace(".", "%252E"),
    ]
    for path in paths:
        reset(site)
        for method in ("GET", "HEAD"):
            assert site.ask(method, f"/unsubscribe/{path}").status == 200, path
            assert site.ask(method, f"/preferences/{path}").status == 200, path
        assert has(site) == DIGESTS, path
        assert site.ask("POST", f"/unsubscribe/{path}").status == 200, path
        assert has(site) == ["weekly"], path


def test_an_invalid_token_is_decisive_too(site):
    token = site.app.tokens.unsubscribe(1, "daily")
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), token[1:], token.upper(), "x", "%00"):
        assert site.ask("POST", f"/unsubscribe/{wrong}", b"List-Unsubscribe=One-Click").status == 404, wrong
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        site.ask(method, f"/unsubscribe/{token}", b"List-Unsubscribe=One-Click")
    assert has(site) == DIGESTS


@pytest.mark.parametrize("base_url", ["https://digest.example.org", "https://digest.example.org/papers"])
def test_behind_a_prefix_too(tmp_path, sqlite_template, base_url):
    import shutil

    shutil.copy(sqlite_template, tmp_path / "web.db")
    with opened(tmp_path, f"sqlite:///{tmp_path / 'web.db'}", base_url) as site:
        with site.app.database.begin() as connection:
            reader = subscribers.add(connection, "reader@example.org", THURSDAY)
            subscribers.subscribe(connection, reader, Subscription(digest="daily"), THURSDAY)
        token = site.app.tokens.unsubscribe(reader, "daily")
        prefix = base_url.removeprefix("https://digest.example.org")
        assert site.get(f"{prefix}/unsubscribe/{token}%3E.").status == 200
        assert site.ask("POST", f"{prefix}/unsubscribe/{token}/").body == "unsubscribed\n"
        assert has(site) == []
