"""`digestmail sources`: what it prints, appends and leaves alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from clirun import digestmail
from werkzeug import Request, Response

from digestmail.config import known_services
from digestmail.config.sources import HuggingFaceTable

FEED = """<rss version="2.0"><channel><title>The lab</title><link>https://lab.example/</link>
<item><title>A paper about nothing</title><link>https://lab.example/1</link><guid>1</guid>
<pubDate>Thu, 02 Apr 2026 06:00:00 GMT</pubDate></item>
<item><title></title></item></channel></rss>"""
PAGE = (
    '<!doctype html><html><head><link rel="alternate" type="application/rss+xml" href="/feed?key=hush"></head></html>'
)
CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[network]
allow_private_hosts = ["localhost"]
[[sources]]
name = "blog"
kind = "feed"
url = "{url}"
[[sources]]
name = "huggingface"
kind = "huggingface"
base_url = "{hub}"
[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["blog"]
"""
OPML = """<opml version="2.0"><body><outline text="Folder"><outline text="One" xmlUrl="https://one.example/feed"/></outline>
<outline text="Again" xmlUrl="{url}"/><outline text="Two" xmlUrl="https://two.example/feed?key=hush"/></body></opml>"""


class Site:
    """A directory with a configuration, and a server on loopback."""

    def __init__(self, path: Path, httpserver) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.server = httpserver
        self.url = httpserver.url_for("/feed?key=hush")
        self.config.write_text(CONFIG.format(url=self.url, hub=httpserver.url_for("/hub")), "utf-8")
        self.answer("/feed", Response(FEED, content_type="application/rss+xml"))
        self.answer("/hub/api/daily_papers", Response(status=403))

    def answer(self, path: str, *answers: Response) -> list[Request]:
        seen: list[Request] = []

        def respond(request: Request) -> Response:
            seen.append(request)
            return answers[min(len(seen), len(answers)) - 1]

        self.server.expect_request(path).respond_with_handler(respond)
        return seen

    def run(self, *words: str, status: int = 0) -> str:
        said = digestmail(self.path, *words, status=status)
        assert "hush" not in said or words[:2] in {("sources", "export"), ("sources", "add"), ("sources", "import")}
        return said


@pytest.fixture
def site(tmp_path, httpserver):
    return Site(tmp_path, httpserver)


def test_the_list_says_where_each_is_and_how_it_is(site):
    assert "not read yet" in site.run("sources", "list")
    site.run("collect", status=1)
    said = site.run("sources", "list")
    assert "blog         feed" in said
    assert "/feed?key=***" in said
    assert "1 new of 1 paper" in said
    assert json.loads(site.run("sources", "list", "--json"))[0]["health"]["health"] == "fresh"


def test_a_trial_prints_the_first_papers_and_stores_none(site):
    said = site.run("sources", "test", "blog")
    assert "2 entries, 1 paper\n" in said
    assert "A paper about nothing" in said
    assert "1 skipped" in said
    assert site.run("papers", "list") == ""
    assert "not read yet" in site.run("sources", "list")
    assert json.loads(site.run("sources", "test", "blog", "--json"))["entries"] == 2


def test_a_long_title_is_cut_where_titles_are_listed(site):
    long = f"A paper about nothing{' at all' * 200}"
    site.server.clear()
    site.answer("/hub/api/daily_papers", Response(status=403))
    site.answer("/feed", Response(FEED.replace("A paper about nothing", long), content_type="application/rss+xml"))
    said = site.run("sources", "test", "blog")
    assert max(map(len, said.splitlines())) < 140
    assert " at all\u2026\n" in said
    site.run("collect", status=1)
    assert len(site.run("papers", "list")) < 200
    assert long in site.run("papers", "list", "--json")


def test_a_trial_takes_any_address_and_finds_the_feed_of_a_page(site):
    site.answer("/home", Response(PAGE, content_type="text/html"))
    said = site.run("sources", "test", site.server.url_for("/home"))
    assert "is a web page; its feed is" in said
    assert "A paper about nothing" in said


def test_a_page_elsewhere_cannot_name_a_feed_in_your_own_network(site):
    config = site.config.read_text("utf-8").replace('["localhost"]', '["localhost", "127.0.0.1"]')
    site.config.write_text(config, "utf-8")
    inside = site.answer("/inside", Response(FEED))
    url = f"http://127.0.0.1:{site.server.port}/inside"
    site.answer("/home", Response(PAGE.replace("/feed?key=hush", url), content_type="text/html"))
    said = site.run("sources", "test", site.server.url_for("/home"), status=1)
    assert "not a public address" in said
    assert inside == []


def test_a_trial_that_fails_says_why(site):
    site.answer("/gone", Response(status=410))
    assert "answered 410" in site.run("sources", "test", site.server.url_for("/gone"), status=1)
    assert "did you mean 'blog'?" in site.run("sources", "test", "bolg", status=1)
    assert "user name or password" in site.run("sources", "test", "http://me:hush@localhost/", status=1)


def test_a_feed_is_added_at_the_end_and_what_was_added_is_shown(site):
    site.answer("/other", Response(FEED, content_type="application/rss+xml"))
    before = site.config.read_text("utf-8")
    url = site.server.url_for("/other")
    table = f'\n[[sources]]\nname = "the-lab"\nkind = "feed"\nurl = "{url}"\n'
    assert table in site.run("sources", "add", url, "--dry-run")
    assert site.config.read_text("utf-8") == before
    said = site.run("sources", "add", url)
    assert site.config.read_text("utf-8") == before + table
    assert table in said
    assert 'next: add to sources of the [[digests]] that should read them: "the-lab"' in said
    assert "the-lab" in site.run("sources", "list")
    assert "1 configured already" in site.run("sources", "add", url, status=1)


def test_a_page_of_a_service_is_added_as_a_source_of_its_kind(site, monkeypatch):
    keys = {"kind": "huggingface", "list": "trending", "base_url": site.server.url_for("/hub").rstrip("/")}
    service = (HuggingFaceTable, lambda path, _query: keys if path == "papers/trending" else None)
    monkeypatch.setitem(known_services._SERVICES, "localhost", (service,))
    site.server.clear()
    paper = {"id": "2604.00157", "title": "A trending paper", "upvotes": 3}
    seen = site.answer("/hub/api/daily_papers", Response(json.dumps([{"paper": paper}])))
    page = site.server.url_for("/papers/trending")
    tried = site.run("sources", "test", page)
    assert "note: read as a source of the kind huggingface" in tried
    assert "A trending paper" in tried
    said = site.run("sources", "add", page)
    assert 'name = "huggingface-trending"\nkind = "huggingface"\n' in said
    assert 'list = "trending"\n' in said
    assert {request.args["sort"] for request in seen} == {"trending"}
    assert "1 configured already" in site.run("sources", "add", page, status=1)


def test_a_name_can_be_chosen(site):
    site.answer("/other", Response(FEED, content_type="application/rss+xml"))
    url = site.server.url_for("/other")
    assert "already" in site.run("sources", "add", url, "--name", "blog", status=2)
    site.run("sources", "add", url, "--name", "mine")
    assert 'name = "mine"' in site.config.read_text("utf-8")


def test_what_is_no_feed_is_not_added(site):
    before = site.config.read_text("utf-8")
    site.answer("/page", Response("<html><head></head></html>", content_type="text/html"))
    assert "names no feed" in site.run("sources", "add", site.server.url_for("/page"), status=1)
    assert site.config.read_text("utf-8") == before


def test_an_import_skips_what_is_there_and_counts(site):
    (site.path / "feeds.opml").write_text(OPML.format(url=site.url), "utf-8")
    said = site.run("sources", "import", "feeds.opml")
    assert "2 new, 1 configured already, 0 refused" in said
    assert "0 new, 3 configured already" in site.run("sources", "import", "feeds.opml")
    assert site.config.read_text("utf-8").count("[[sources]]") == 4


def test_a_configuration_that_cannot_be_written_is_printed_to_paste(site, monkeypatch):
    (site.path / "feeds.opml").write_text(OPML.format(url=site.url), "utf-8")
    before = site.config.read_text("utf-8")
    real = Path.open

    def guarded(self, mode="r", **options):
        if mode == "a":
            raise PermissionError(13, "Permission denied")
        return real(self, mode, **options)

    monkeypatch.setattr(Path, "open", guarded)
    said = site.run("sources", "import", "feeds.opml", status=1)
    assert 'url = "https://one.example/feed"\n' in said
    assert "Permission denied; nothing was written: append the lines above yourself" in said
    assert site.config.read_text("utf-8") == before


def test_an_export_can_be_imported_again(site):
    exported = site.run("sources", "export")
    assert "left out, because they are no feeds: huggingface" in exported
    (site.path / "feeds.opml").write_text(exported.partition("left out")[0], "utf-8")
    assert "0 new, 1 configured already" in site.run("sources", "import", "feeds.opml")


def only_feeds(site) -> None:
    """Leave out Hugging Face, and add a feed that is gone."""
    hub = f'[[sources]]\nname = "huggingface"\nkind = "huggingface"\nbase_url = "{site.server.url_for("/hub")}"\n'
    text = site.config.read_text("utf-8").replace(hub, "")
    assert "huggingface" not in text
    gone = f'[[sources]]\nname = "old"\nkind = "feed"\nurl = "{site.server.url_for("/old?key=hush")}"\n[[digests]]'
    site.config.write_text(text.replace("[[digests]]", gone), "utf-8")


def test_a_feed_that_is_gone_is_said_once_and_can_be_brought_back(site):
    only_feeds(site)
    seen = site.answer("/old", Response(status=410), Response(status=410), Response(FEED))
    said = site.run("run", "--quiet", "--now", "2026-04-02T08:00Z", status=1)
    assert "old: parked" in said
    for hour in range(9, 24):
        assert site.run("run", "--quiet", "--now", f"2026-04-02T{hour:02}:00Z") == ""
    assert len(seen) == 1
    listed = site.run("sources", "list")
    assert "parked" in listed
    assert "digestmail sources retry old" in listed
    site.run("subscribers", "add", "me@example.org")
    checked = site.run("check", "--now", "2026-04-02T23:00Z")
    assert "note: source old is parked" in checked
    assert "note: source old is in no digest" in checked
    assert "all well" in checked
    assert "the next run reads old" in site.run("sources", "retry", "old")
    assert site.run("run", "--quiet", "--now", "2026-04-03T00:00Z") == ""
    assert len(seen) == 2
    site.run("sources", "retry", "old")
    assert "old: fresh" in site.run("run", "--now", "2026-04-03T01:00Z")
    assert "is not parked" in site.run("sources", "retry", "old")


def test_the_feeds_of_a_list_are_shown_with_their_titles_or_addresses(site):
    base = site.server.url_for("")
    for path in ("one", "two", "three", "four", "api/daily_papers"):
        site.answer(f"/{path}", Response(status=403))
    lists = (
        f'name = "list"\nkind = "feed"\nopml = "feeds.opml"\n[[sources]]\nname = "urls"\nkind = "feed"\n'
        f'urls = ["{base}three?key=hush", "{base}four"]\n'
    )
    (site.path / "feeds.opml").write_text(
        f'<opml version="2.0"><body><outline text="The lab&#10; of lakes" xmlUrl="{base}one?key=hush"/>'
        f'<outline text="{"Long " * 40}" xmlUrl="{base}two"/></body></opml>',
        "utf-8",
    )
    text = CONFIG.replace('name = "blog"\nkind = "feed"\nurl = "{url}"\n', lists).format(hub=base)
    site.config.write_text(text.replace('["blog"]', '["list", "urls"]'), "utf-8")
    said = site.run("collect", status=1)
    lab = r"list/localhost-[0-9a-f]{6} \(The lab of lakes\)"
    three = rf"urls/localhost-[0-9a-f]{{6}} \({base}three\?key=\*\*\*\)"
    for one in (lab, three):
        assert re.search(rf"collect  {one}: refused", said)
        assert re.search(rf"source {one}: refused", site.run("check", status=1))
        assert re.search(rf"  {one} +\.+x  refused", site.run("status", status=1))
    assert re.search(rf"^{lab} +feed +refused", site.run("sources", "list"), re.MULTILINE)
    site.server.clear()
    site.answer("/two", Response(status=403))
    site.answer("/one", Response(FEED, content_type="application/rss+xml"))
    assert "note: list/localhost-" in (said := site.run("sources", "test", "list"))
    assert f"({'Long ' * 11}Long\u2026) could not be read" in said
    assert 'text="The lab of lakes"' in site.run("sources", "export")
    said = site.run("sources", "test", "lst", status=1)
    assert (
        said == "digestmail: there is no source 'lst'; did you mean 'list'? configured are: list, urls, huggingface\n"
    )


def test_a_feed_that_is_down_is_said_once_but_check_keeps_saying_it(site):
    only_feeds(site)
    site.answer("/old", Response(status=403))
    assert "old: refused" in site.run("run", "--quiet", "--now", "2026-04-02T08:00Z", status=1)
    assert site.run("run", "--quiet", "--now", "2026-04-02T09:00Z") == ""
    assert "old: refused" in site.run("run", "--now", "2026-04-02T10:00Z")
    assert "problem: source old: refused" in site.run("check", "--now", "2026-04-02T10:00Z", status=1)


def test_a_proxy_of_the_environment_is_named_without_its_password(site, monkeypatch):
    only_feeds(site)
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hush@proxy.example:3128")
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hush@proxy.example:1080")
    site.run("subscribers", "add", "me@example.org")
    said = site.run("check")
    assert "note: requests to https:// sources go through the proxy http://proxy.example:3128" in said
    assert "ALL_PROXY is ignored: socks5:// proxies are not supported" in said
