"""From an address in a browser to the feed."""

from __future__ import annotations

import pytest
from fakes import THURSDAY
from fetching import Request, ScriptedFetcher

from digestmail.errors import SourceUnreadableError
from digestmail.sources.discovery import find_feed
from digestmail.sources.page_links import feeds_of_page

FEED = b"""<rss version="2.0"><channel><title>A   lab</title><link>https://lab.example/</link>
<item><title>A paper</title><link>https://lab.example/1</link><guid>1</guid></item></channel></rss>"""
PAGE = b"""<!DOCTYPE html><html><head><title>Lab</title>
<link rel="alternate" type="application/rss+xml" title="Comments" href="/comments/feed/">
<link rel="stylesheet" href="x.css"><link rel="alternate" hreflang="de" href="/de/">
<LINK REL='Alternate home' TYPE='application/atom+xml; charset=utf-8' HREF="feed.atom?a=1&amp;b=2">
<link rel="alternate" type="application/feed+json" href="https://lab.example/feed.json">
<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
<link rel="alternate" type="application/feed+json" href="https://lab.example/feed.json">
</head><body>Text</body></html>"""


def site(**pages: bytes) -> ScriptedFetcher:
    answers = {f"https://lab.example/{name.replace('_', '.')}": body for name, body in pages.items()}

    def answer(request: Request) -> bytes:
        return answers.get(request.url.partition("?")[0], b"nothing")

    return ScriptedFetcher(answer)


def test_a_feed_is_itself():
    found = find_feed(site(feed=FEED), "https://lab.example/feed", THURSDAY)
    assert (found.url, found.title, found.parsed.entries) == ("https://lab.example/feed", "A lab", 1)


def test_a_page_s_feeds_come_in_order_with_comments_last():
    assert [feed.url for feed in feeds_of_page(PAGE.decode(), "https://lab.example/blog/post")] == [
        "https://lab.example/blog/feed.atom?a=1&b=2",
        "https://lab.example/feed.json",
        "https://lab.example/comments/feed/",
    ]


def test_the_base_of_a_page_counts():
    page = PAGE.replace(b"<head>", b'<head><base href="https://cdn.example/x/">')
    assert feeds_of_page(page.decode(), "https://lab.example/")[0].url == "https://cdn.example/x/feed.atom?a=1&b=2"


def test_a_link_in_a_comment_does_not_count():
    page = PAGE.replace(b"<LINK", b"<!--[if IE]><LINK").replace(b'2">', b'2"><![endif]-->', 1)
    assert [feed.url for feed in feeds_of_page(page.decode(), "https://lab.example/blog/post")] == [
        "https://lab.example/feed.json",
        "https://lab.example/comments/feed/",
    ]


def test_a_page_leads_to_its_first_feed_and_names_the_others():
    fetcher = site(home=PAGE, feed_atom=FEED)
    found = find_feed(fetcher, "https://lab.example/home", THURSDAY)
    assert found.url == "https://lab.example/feed.atom?a=1&b=2"
    assert [feed.title for feed in found.others] == ["", "Comments"]
    assert not any(request.conditional for request in fetcher.requests)


def test_a_json_feed_has_a_title_too():
    body = b'{"version": "https://jsonfeed.org/version/1.1", "title": "Notes", "items": []}'
    assert find_feed(site(feed=body), "https://lab.example/feed", THURSDAY).title == "Notes"


@pytest.mark.parametrize(("body", "says"), [(b"<html><head></head></html>", "names no feed"), (b"plain", "not a feed")])
def test_what_leads_nowhere_is_said(body, says):
    with pytest.raises(SourceUnreadableError, match=says):
        find_feed(site(home=body), "https://lab.example/home", THURSDAY)
