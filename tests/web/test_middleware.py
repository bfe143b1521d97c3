from __future__ import annotations

import re

import pytest
from fakes import FakeClock
from websites import THURSDAY, ask, create_app, open_app, publish

from digestmail.config import load


@pytest.fixture
def sqlite_url(sqlite_template, tmp_path):
    import shutil

    shutil.copy(sqlite_template, tmp_path / "web.db")
    return f"sqlite:///{tmp_path / 'web.db'}"


@pytest.fixture
def filled(sqlite_url):
    from pathlib import Path

    from digestmail.storage.database import Database

    database = Database.open(sqlite_url, base=Path())
    publish(database, 0)
    yield database
    database.close()


def test_pages_are_served_under_the_path_of_base_url(filled, sqlite_url):
    with open_app(sqlite_url, base_url="https://example.org/papers") as app:
        web = create_app(app)
        for path in ("/papers", "/papers/", "/"):  # a proxy may leave the prefix on, or take it off
            found = ask(web, path)
            assert found.status == 200
            links = re.findall(r'(?:href|action)="(/[^"]*)"', found.text)
            assert links
            assert all(link.startswith("/papers/") for link in links)
            assert 'rel="canonical" href="https://example.org/papers/"' in found.text
        assert ask(web, "/papers/daily/2026-04-02").status == 200
        assert ask(web, "/papers/static/digestmail.css").status == 200
        assert ask(web, "/papers/api/v1/nothing").headers["content-type"] == "application/problem+json"


def test_forwarded_headers_are_believed_from_trusted_proxies_only(filled, sqlite_url):
    said = {"x-forwarded-proto": "https", "x-forwarded-for": "198.51.100.1"}
    with open_app(sqlite_url, base_url=None, trusted_proxies=["192.0.2.0/24"]) as app:
        web = create_app(app)
        assert 'canonical" href="https://' in ask(web, "/", headers=said, client="192.0.2.7").text
        assert 'canonical" href="http://' in ask(web, "/", headers=said, client="203.0.113.9").text


def test_a_page_cached_for_one_host_is_not_served_to_another(filled, sqlite_url):
    with open_app(sqlite_url, base_url=None) as app:
        web = create_app(app)
        ask(web, "/", headers={"host": "evil.example.net"})
        assert "evil.example.net" not in ask(web, "/").text


def test_a_conditional_request_gets_304(filled, sqlite_url):
    with open_app(sqlite_url) as app:
        web = create_app(app)
        for path in ("/", "/search?q=cache", "/api/v1/papers", "/daily/feed.atom"):
            tag = ask(web, path).headers["etag"]
            again = ask(web, path, headers={"if-none-match": f'"x", W/{tag}'})
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
            assert ask(web, path, headers={"if-none-match": '"x"'}).status == 200


def test_a_cached_page_is_replaced_after_publishing(filled, sqlite_url):
    clock = FakeClock(THURSDAY)
    with open_app(sqlite_url) as app:
        web = create_app(app, clock)
        tag = ask(web, "/").headers["etag"]
        publish(filled, -1)
        assert ask(web, "/").headers["etag"] == tag
        clock.sleep(1)
        assert "Friday, 3 April 2026" in ask(web, "/").text


def test_a_form_s_token_is_never_older_than_ten_minutes(filled, sqlite_url):
    clock, tokens = FakeClock(THURSDAY), iter(f"token-{number}" for number in range(9))
    with open_app(sqlite_url) as app:
        web = create_app(app, clock)
        web.state.pages.form_token = lambda _request: next(tokens)
        assert 'name="token" value="token-0"' in ask(web, "/").text
        clock.sleep(599)
        assert 'value="token-0"' in ask(web, "/").text
        clock.sleep(1)
        assert 'value="token-1"' in ask(web, "/").text
        assert 'value="token-1"' in ask(web, "/").text


def test_searches_of_one_network_are_limited_as_page_feed_and_api(filled, sqlite_url):
    with open_app(sqlite_url, searches_per_minute=4) as app:
        app.wall_clock = FakeClock(THURSDAY)
        web = create_app(app)
        paths = ["/search?q=cache", "/search.atom?q=cache", "/search.json?q=cache", "/api/v1/search?q=cache"]
        assert [ask(web, path, client=f"203.0.113.{n}").status for n, path in enumerate(paths)] == [200] * 4
        assert ask(web, "/search.bib?q=cache").status == 429
        for path in paths:
            refused = ask(web, path)
            assert (refused.status, refused.headers["retry-after"]) == (429, "15")
            assert refused.headers["cache-control"] == "no-store"
        assert ask(web, paths[3]).headers["content-type"] == "application/problem+json"
        assert "try again in a minute" in ask(web, paths[0]).text
        assert ask(web, "/").status == ask(web, "/api/v1/papers").status == 200
        assert ask(web, paths[0], client="198.51.100.1").status == 200
        app.wall_clock.sleep(15)
        assert ask(web, paths[0]).status == 200


def test_behind_a_trusted_proxy_each_reader_s_network_counts(filled, sqlite_url):
    with open_app(sqlite_url, searches_per_minute=1) as app:
        web = create_app(app)
        readers = [{"x-forwarded-for": f"198.51.{n}.1"} for n in range(3)]
        assert [ask(web, "/search", headers=one, client="127.0.0.1").status for one in readers] == [200] * 3
        assert ask(web, "/search", headers=readers[0], client="127.0.0.1").status == 429
        assert ask(web, "/search", headers=readers[0], client="203.0.113.9").status == 200
        assert ask(web, "/search", headers=readers[1], client="203.0.113.9").status == 429


def test_an_unavailable_database_is_reported(tmp_path):
    with open_app(f"sqlite:///{tmp_path}/no/such/x.db") as app:
        web = create_app(app)
        assert ask(web, "/healthz").status == 200
        assert ask(web, "/readyz").status == 503
        assert ask(web, "/").status == 503
        assert ask(web, "/api/v1/papers").json["status"] == 503


def test_a_part_of_the_process_that_hangs_makes_it_unhealthy_and_the_pages_go_on(filled, sqlite_url):
    with open_app(sqlite_url) as app:
        web = create_app(app)
        alive = [True]
        web.state.is_alive = lambda: alive[0]
        assert ask(web, "/healthz").status == 200
        alive[0] = False
        assert ask(web, "/healthz").status == 503
        assert ask(web, "/readyz").status == ask(web, "/").status == 200


@pytest.fixture
def broken(filled, sqlite_url, monkeypatch):
    """A site under a prefix, with a bug behind every page."""

    def fail(*_args, **_kwargs):
        raise ZeroDivisionError("of reader@example.org")

    monkeypatch.setattr("digestmail.web.app.version", lambda _app: "")
    with open_app(sqlite_url, base_url="https://example.org/papers") as app:
        web = create_app(app)
        web.state.digestmail.database.connect = fail
        yield web


def test_an_unexpected_error_shows_only_a_reference_number(broken, caplog):
    for path in ("/papers/", "/", "/papers/search", "/papers/daily/2026-04-02"):
        caplog.clear()
        found = ask(broken, path)
        assert found.status == 500
        assert "/papers/static/digestmail.css" in found.text
        assert "ZeroDivisionError" not in found.text
        assert "reader@" not in found.text
        assert found.headers["cache-control"] == "no-store"
        assert found.headers["content-security-policy"].startswith("default-src 'none'")
        (record,) = caplog.records
        (number,) = re.findall(r"with the number ([0-9a-f]{8})\.", found.text)
        assert record.getMessage().startswith(f"request={number} method=GET path=/")
        assert "ZeroDivisionError" in caplog.text
    assert ask(broken, "/", method="HEAD").body == b""


def test_a_bug_in_the_api_is_a_problem_document(broken, caplog):
    found = ask(broken, "/papers/api/v1/papers")
    assert found.headers["content-type"] == "application/problem+json"
    assert (found.status, found.json["status"], found.json["title"]) == (500, 500, "Internal Server Error")
    assert f"request={found.json['request']} " in caplog.text
    assert "ZeroDivision" not in found.text


def test_the_log_of_an_unexpected_error_contains_no_token(broken, caplog):
    assert ask(broken, "/papers/unsubscribe/made-up-token").status == 500
    assert "made-up" not in caplog.text
    assert "path=/papers/unsubscribe/- " in caplog.text


def test_every_request_is_logged_where_it_is_wanted_and_no_token_is(filled, sqlite_url, caplog):
    caplog.set_level("INFO")
    clock = FakeClock(THURSDAY)
    with open_app(sqlite_url, access_log=True, base_url="https://example.org/papers") as app:
        web = create_app(app, clock)
        web.state.pages.form_token = lambda _request: clock.sleep(0.0123) or ""
        token = app.tokens.unsubscribe(1, "daily")
        ask(web, "/papers/")
        ask(web, "/papers/search?q=secret", method="HEAD")
        ask(web, f"/papers/unsubscribe/{token}")
        ask(web, f"/papers/preferences/{token}/erase", method="POST", raw=b"x")
        ask(web, "/papers/api/v1/subscribers/reader@example.org", method="DELETE")
        ask(web, "/papers/static/digestmail.css")
    lines = [record.getMessage() for record in caplog.records if record.name == "digestmail.web.access"]
    assert lines == [
        "method=GET path=/papers/ status=200 ms=12",
        "method=HEAD path=/papers/search status=200 ms=12",
        "method=GET path=/papers/unsubscribe/- status=404 ms=12",
        "method=POST path=/papers/preferences/-/erase status=404 ms=12",
        "method=DELETE path=/papers/api/v1/subscribers/- status=401 ms=0",
        "method=GET path=/papers/static/digestmail.css status=200 ms=0",
    ]
    assert token not in caplog.text


def test_no_request_is_logged_unless_it_is_wanted(filled, sqlite_url, caplog):
    caplog.set_level("INFO")
    with open_app(sqlite_url) as app:
        ask(create_app(app), "/")
    assert caplog.records == []


def test_a_digest_cannot_be_called_like_a_page(tmp_path):
    from digestmail.errors import ConfigError

    path = tmp_path / "config.toml"
    path.write_text(
        '[mail]\nsender = "a@example.org"\n[[sources]]\nname = "hf"\nkind = "huggingface"\n'
        '[[digests]]\nname = "search"\ntitle = "x"\nschedule = "0 7 * * *"\nsources = ["hf"]\n'
    )
    with pytest.raises(ConfigError, match="name of a page"):
        load.load(path)
    text = path.read_text().replace('"search"', '"daily"')
    path.write_text(text + '[web]\nadmin_token_file = "token"\nprefix = "papers"\n')
    with pytest.raises(ConfigError, match="not a path"):
        load.load(path)
    path.write_text(text + '[web]\nadmin_token_file = "token"\n')
    with pytest.raises(ConfigError, match="admin_token_file"):
        load.load(path)
    (tmp_path / "token").write_text("hidden-token-of-ours\n")
    token = load.load(path).web.admin_token
    assert token is not None
    assert token.get_secret_value() == "hidden-token-of-ours"
