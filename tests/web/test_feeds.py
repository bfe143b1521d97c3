from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import feedparser
import pytest
from websites import ask, create_app, open_app, publish


@pytest.fixture
def site(database, database_url):
    for day in range(3):
        publish(database, day, titles={0: "Tags <b>&</b> \x01 controls"})
    with open_app(database_url) as app:
        yield create_app(app)


@pytest.mark.parametrize(
    "path", ["/daily/feed", "/daily/feed?topic=Agents", "/search?q=cache", "/search?q=%3Cscript%3E"]
)
def test_atom_and_json_say_the_same(site, path):
    path, _, query = path.partition("?")
    atom = feedparser.parse(ask(site, f"{path}.atom?{query}").body)
    document = json.loads(ask(site, f"{path}.json?{query}").body)
    assert not atom.bozo
    assert [entry.id for entry in atom.entries] == [item["id"] for item in document["items"]]
    assert atom.feed.title == document["title"]


def test_an_edition_is_an_entry_with_its_papers(site):
    (first, *_), document = feedparser.parse(ask(site, "/daily/feed.atom").body).entries, None
    assert document is None
    assert first.link == "https://papers.example.org/daily/2026-04-02"
    assert "https://papers.example.org/papers/arxiv:2601.00002" in first.content[0].value


def test_a_topic_feed_contains_only_that_topic(site):
    content = feedparser.parse(ask(site, "/daily/feed.atom?topic=Vision").body).entries[0].content[0].value
    assert "Shadows as Labels" in content
    assert "A Cache" not in content


def test_sitemaps_name_every_edition_and_paper(site):
    def places(path: str) -> list[str]:
        return [node.text for node in ET.fromstring(ask(site, path).body).iter() if node.tag.endswith("loc")]  # noqa: S314 - our own

    maps = [place.removeprefix("https://papers.example.org") for place in places("/sitemap.xml")]
    pages = [page.removeprefix("https://papers.example.org") for one in maps for page in places(one)]
    assert len(pages) == 3 + 3 + 21
    assert all(ask(site, page).status == 200 for page in pages)
