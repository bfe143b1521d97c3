"""One entry that is far too long, in any field and any kind of feed, costs no other entry and stops no run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape

import pytest
from fakes import digest, render
from fetching import ScriptedFetcher

from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.model.papers import Health
from digestmail.model.search import Query
from digestmail.model.subscribers import Subscription
from digestmail.sources.feed import Feed
from digestmail.storage import papers, search, subscribers

NOW = datetime(2026, 5, 4, 6, 30, tzinfo=UTC)
WORDS = " ".join(f"w{number:x}" for number in range(180_000))
"""More than a megabyte of different words, which PostgreSQL cannot index."""
LONG = WORDS.replace(" ", "-")
NUL_AND_LONE = "\x00\ufffe" * 1000
ITEMS = {
    "title": f"<title>{WORDS}</title>",
    "abstract": f"<description>{WORDS}</description>",
    "words": f"<title>{LONG}</title><description>{LONG}</description>",
    "link": f"<link>https://long.example.org/{LONG}</link>",
    "guid": f"<guid isPermaLink='false'>{LONG}</guid>",
    "author": f"<author>{WORDS}</author>",
    "authors": "".join(f"<author>Name {number}</author>" for number in range(3_000)),
    "categories": "".join(f"<category>cs.{number}</category>" for number in range(3_000)),
    "date": f"<pubDate>{WORDS}</pubDate>",
}
FIELDS = {
    "title": {"title": WORDS},
    "abstract": {"content_text": WORDS},
    "link": {"url": f"https://long.example.org/{LONG}"},
    "guid": {"id": LONG},
    "authors": {"authors": [{"name": f"Name {number}"} for number in range(3_000)]},
    "control characters": {"title": NUL_AND_LONE, "content_text": NUL_AND_LONE},
}


def rss(extra: str) -> bytes:
    plain = [
        f"<item><title>{name}</title><link>https://a.example.org/{name}</link><guid>{name}</guid></item>"
        for name in ("first", "last")
    ]
    rest = "".join(
        f"<{tag}>{escape(text)}</{tag}>"
        for tag, text in {"title": "long", "link": "https://a.example.org/long", "guid": "long"}.items()
        if f"<{tag}" not in extra
    )
    items = f"{plain[0]}<item>{extra}{rest}</item>{plain[1]}"
    return f'<rss version="2.0"><channel><title>B</title>{items}</channel></rss>'.encode()


def json_feed(extra: dict[str, object]) -> bytes:
    plain = [{"id": name, "url": f"https://a.example.org/{name}", "title": name} for name in ("first", "long", "last")]
    plain[1] |= extra
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "B", "items": plain}).encode()


@pytest.mark.parametrize(
    "body",
    [*(rss(one) for one in ITEMS.values()), *(json_feed(one) for one in FIELDS.values())],
    ids=[*(f"rss-{name}" for name in ITEMS), *(f"json-{name}" for name in FIELDS)],
)
def test_the_entries_beside_it_are_stored_found_and_published(database, body):
    long = Feed(name="long", fetcher=ScriptedFetcher(lambda _: body), url="https://long.example.org/feed")
    report = collect(database, [long], NOW)
    assert report.failed == ()
    assert report.sources[0].health[0].health is Health.FRESH
    with database.begin() as connection:
        stored = {paper.title: paper for paper in papers.list_papers(connection, 10)}
        reader = subscribers.add(connection, "reader@example.org", NOW)
        subscribers.subscribe(connection, reader, Subscription(digest="daily"), NOW)
    assert {"first", "last"} <= set(stored)
    assert all(len(title) <= 1_000 for title in stored)
    (edition,) = publish(database, [digest(sources=("long",), cron="0 6 * * *")], render, NOW).digests
    assert (edition.status, edition.papers) == ("published", len(stored))
    with database.connect() as connection:
        assert [hit.paper.title for hit in search.search(connection, Query(text="first")).hits] == ["first"]
