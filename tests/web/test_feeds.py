from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import feedparser
import pytest
from atom_rules import broken_atom_rules
from fakes import paper
from websites import THURSDAY, ask, create_app, open_app, publish

from digestmail.model.papers import Sighting
from digestmail.model.search import SeenPaper
from digestmail.storage import papers
from digestmail.web.feeds import recent
from digestmail.web.syndication import Item, SyndicationFeed, atom, author_of, tag_uri

FEEDS = ["/daily/feed", "/daily/feed?topic=Agents", "/search", "/search?q=cache", "/search?q=%3Cscript%3E"]
EMPTY = ["/weekly/feed", "/search?q=zzzz"]


def three_days(database):
    for day in range(3):
        publish(database, day, titles={0: "Tags <b>&</b> \x01 controls"})


@pytest.fixture
def site(filled_url):
    with open_app(filled_url(three_days)) as app:
        yield create_app(app)


def atom_of(site, path: str):
    path, _, query = path.partition("?")
    return feedparser.parse(ask(site, f"{path}.atom?{query}").body)


@pytest.mark.parametrize("path", FEEDS + EMPTY)
def test_atom_and_json_say_the_same(site, path):
    found = atom_of(site, path)
    path, _, query = path.partition("?")
    document = json.loads(ask(site, f"{path}.json?{query}").body)
    assert not found.bozo
    assert [entry.id for entry in found.entries] == [item["id"] for item in document["items"]]
    assert [entry.published for entry in found.entries] == [item["date_published"] for item in document["items"]]
    assert [[one.name for one in entry.authors] for entry in found.entries] == [
        [one["name"] for one in item["authors"]] for item in document["items"]
    ]
    assert found.feed.title == document["title"]
    assert document["feed_url"] == f"https://papers.example.org{path}.json" + (f"?{query}" if query else "")


@pytest.mark.parametrize("path", FEEDS + EMPTY)
def test_every_feed_is_valid_atom(site, path):
    path, _, query = path.partition("?")
    assert broken_atom_rules(ask(site, f"{path}.atom?{query}").body) == []


def test_the_check_of_atom_finds_what_is_wrong():
    feed = SyndicationFeed(
        id="tag:example.org,2026:x", title="X", subtitle="", own="https://example.org/x", query="", home="https://example.org/",
        author="A", updated_at=THURSDAY, items=(
            Item(
                id="tag:example.org,2026:x/1",
                link="https://example.org/1",
                title="One",
                html="<p>1</p>",
                authors=("B",),
                published_at=THURSDAY,
            ),
        ),
    )  # fmt: skip
    good = atom(feed)
    assert broken_atom_rules(good) == []
    entry = re.search(rb"<entry>.*</entry>", good)[0]
    for bad in (
        good.replace(b"<updated>2026-04-02T06:00:00Z</updated>", b""),
        good.replace(b"T06:00:00Z", b" 06:00"),
        good.replace(b"<id>tag:example.org,2026:x/1</id>", b"<id>x 1</id>"),
        good.replace(b"<title>One</title>", b"<title></title>"),
        good.replace(b"<name>A</name>", b"<name/>"),
        good.replace(b"<author><name>A</name></author>", b"").replace(b"<author><name>B</name></author>", b""),
        good.replace(entry, entry * 2),
        good.replace(b"</entry>", b"<pubDate>x</pubDate></entry>"),
        good.replace(b'rel="self"', b'rel="related"'),
        good.replace(b'href="https://example.org/1"', b'href="/1"'),
    ):
        assert bad != good
        assert broken_atom_rules(bad) != []


def test_an_edition_is_an_entry_with_its_papers(site):
    first, *_ = atom_of(site, "/daily/feed").entries
    assert first.link == "https://papers.example.org/daily/2026-04-02"
    assert "https://papers.example.org/papers/arxiv:2601.00002" in first.content[0].value
    assert (first.published, first.updated) == ("2026-04-02T06:00:00Z", "2026-04-02T06:00:00Z")


def test_a_topic_s_feed_holds_that_topic_only(site):
    entry = atom_of(site, "/daily/feed?topic=Vision").entries[0]
    assert "Shadows as Labels" in entry.content[0].value
    assert "A Cache" not in entry.content[0].value
    assert entry.link == "https://papers.example.org/daily/2026-04-02?topic=Vision"
    assert ask(site, entry.link.removeprefix("https://papers.example.org")).status == 200


def test_one_upvote_is_singular(site):
    content = atom_of(site, "/daily/feed").entries[0].content[0].value
    assert re.search(r"\b187 upvotes\b", content)
    assert not re.search(r"\b1 upvotes", content)


def test_a_paper_with_one_upvote_has_one_upvote(database, database_url, monkeypatch):
    import websites

    monkeypatch.setattr(websites, "_COUNTS", ((1, None, None), *websites._COUNTS[1:]))
    publish(database, 0)
    with open_app(database_url) as app:
        assert re.search(r"\b1 upvote<", ask(create_app(app), "/daily/feed.atom").text.replace("&lt;", "<"))


def test_a_digest_s_feed_is_in_its_language(database, database_url):
    publish(database, 0)
    with open_app(database_url) as app:
        app.digests = tuple(replace(one, look=replace(one.look, language="de")) for one in app.digests)
        entry = atom_of(create_app(app), "/daily/feed").entries[0]
    assert entry.title == "Trending papers, Donnerstag, 2. April 2026"
    assert "187 Stimmen" in entry.content[0].value


# -- identities ------------------------------------------------------------------------------------------------------


def test_no_two_feeds_share_an_entry_or_an_id(site):
    seen: set[str] = set()
    for path in [*FEEDS, "/search?q=cache&topic=Agents", "/search?q=cache&source=huggingface"]:
        found = atom_of(site, path)
        ids = {found.feed.id, *(entry.id for entry in found.entries)}
        assert not seen & ids, path
        seen |= ids
    assert len(seen) > 20


def test_an_entry_keeps_its_id_whatever_else_the_address_says(site):
    plain = atom_of(site, "/daily/feed?topic=Agents")
    for other in ("/daily/feed?utm_source=x&topic=Agents", "/daily/feed?topic=Agents&page=2"):
        found = atom_of(site, other)
        assert [entry.id for entry in found.entries] == [entry.id for entry in plain.entries]
        assert found.feed.id == plain.feed.id
    turned = atom_of(site, "/search?topic=Agents&q=cache")
    assert turned.feed.id == atom_of(site, "/search?q=cache&topic=Agents").feed.id


def test_an_id_is_a_tag_that_names_the_feed(site):
    assert atom_of(site, "/daily/feed?topic=Agents").entries[0].id == (
        "tag:papers.example.org,2026:daily/topic/Agents/2026-04-02"
    )
    assert atom_of(site, "/search?q=cache").entries[0].id == (
        "tag:papers.example.org,2026:search/q%3Dcache/arxiv%3A2601.00002"
    )


@pytest.mark.parametrize(
    ("base", "tag"),
    [
        ("https://example.org", "tag:example.org,2026:a%2Fb"),
        ("http://example.org", "tag:example.org,2026:a%2Fb"),
        ("https://EXAMPLE.org:8443/papers/", "tag:example.org,2026:8443/papers/a%2Fb"),
        ("https://bücher.example", "tag:xn--bcher-kva.example,2026:a%2Fb"),
        ("http://[::1]:80", "tag:--1,2026:80/a%2Fb"),
    ],
)
def test_a_tag_names_the_site(base, tag):
    assert tag_uri(base, "a/b") == tag


# -- authors ---------------------------------------------------------------------------------------------------------


def test_every_entry_names_its_authors(site):
    assert [one.name for one in atom_of(site, "/search?q=cache").entries[0].authors][:1] == ["Boris Sample"]
    assert atom_of(site, "/daily/feed").entries[0].author == "AK and the research community"
    assert atom_of(site, "/daily/feed").feed.author == "AK and the research community"


def test_a_paper_without_authors_names_its_organization_or_its_site(database, database_url):
    publish(database, 0, authors=(), organization="Example Institute")
    publish(database, 1, authors=("", " "), organization=None)
    with open_app(database_url) as app:
        entries = atom_of(create_app(app), "/search?q=cache").entries
    assert [entry.author for entry in entries] == ["Example Institute", "arxiv.org"]


@pytest.mark.parametrize(
    ("byline", "language", "author"),
    [
        ("by AK", "en", "AK"),
        ("By: AK", "en", "AK"),
        ("von AK", "de", "AK"),
        ("par AK", "fr-CA", "AK"),
        ("מאת AK", "he", "AK"),
        ("by AK", "de", "AK"),
        ("von Neumann reads", "en", "Title"),
        ("Byron reads", "en", "Title"),
        ("what the community reads today", "en", "Title"),
        ("", "en", "Title"),
    ],
)
def test_the_author_is_whom_the_byline_names(byline, language, author):
    assert author_of(byline, language, "Title") == author


# -- searches --------------------------------------------------------------------------------------------------------


def seen(*ages: timedelta) -> list[SeenPaper]:
    return [SeenPaper(paper=paper(number), first_seen_at=THURSDAY - age) for number, age in enumerate(ages)]


def test_a_search_feed_keeps_all_matches_of_a_week_and_at_least_thirty():
    day = timedelta(days=1)
    assert len(recent(seen(*[0 * day] * 58, *[8 * day] * 50))) == 58
    assert len(recent(seen(0 * day, *[8 * day] * 50))) == 30
    assert len(recent(seen(*[3 * day] * 10))) == 10
    assert list(recent([])) == []


def test_a_search_feed_shows_every_new_match_newest_first(database, database_url):
    at = datetime(2026, 4, 1, tzinfo=UTC)
    with database.begin() as connection:
        # The old ones match better: the word is in their titles.
        old = [replace(paper(number, title=f"Memory {number}"), abstract="Memory memory.") for number in range(1, 41)]
        new = [replace(paper(number, title=f"Title {number}"), abstract="On memory.") for number in range(101, 159)]
        for found, when in ((old, at - timedelta(days=30)), (new, at)):
            sightings = [Sighting(source="huggingface", paper=one, day=when.date()) for one in found]
            papers.add_sightings(connection, sightings, when)
    with open_app(database_url) as app:
        entries = atom_of(create_app(app), "/search?q=memory").entries
    assert [entry.title for entry in entries[:58]] == [f"Title {number}" for number in range(158, 100, -1)]
    assert {entry.published for entry in entries[:58]} == {"2026-04-01T00:00:00Z"}


# -- being found, and asked again ------------------------------------------------------------------------------------


def alternates(site, path: str) -> list[tuple[str, str]]:
    page = ask(site, path).text.replace("&amp;", "&")
    return re.findall(r'<link rel="alternate" type="application/atom\+xml" title="([^"]*)" href="([^"]*)"', page)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/daily",
        "/daily/2026-04-02",
        "/daily/week/2026-W14",
        "/daily/month/2026-04",
        "/papers/arxiv:2601.00001",
        "/subscribe",
    ],
)
def test_every_page_leads_to_the_feeds(site, path):
    assert alternates(site, path) == [
        ("Trending papers", "/daily/feed.atom"),
        ("Papers of the week", "/weekly/feed.atom"),
    ]


def test_a_page_leads_to_its_own_feed_first(site):
    assert alternates(site, "/weekly")[0] == ("Papers of the week", "/weekly/feed.atom")
    assert alternates(site, "/daily/2026-04-02?topic=Agents")[0] == (
        "Trending papers: Agents",
        "/daily/feed.atom?topic=Agents",
    )
    assert alternates(site, "/search?q=cache")[0] == ("Search: cache", "/search.atom?q=cache")
    for path in ("/weekly", "/daily/2026-04-02?topic=Agents", "/search?q=cache"):
        for _, feed in alternates(site, path):
            assert ask(site, feed).headers["content-type"].startswith("application/atom+xml")


@pytest.mark.parametrize("path", FEEDS + EMPTY)
@pytest.mark.parametrize("ending", ["atom", "json"])
def test_a_feed_that_did_not_change_is_not_sent_again(site, path, ending):
    path, _, query = path.partition("?")
    first = ask(site, f"{path}.{ending}?{query}")
    again = ask(site, f"{path}.{ending}?{query}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_an_empty_feed_stays_the_same_for_a_day(database_url):
    with open_app(database_url) as app:
        site = create_app(app)
        first = ask(site, "/search.atom?q=zzzz")
        app.clock.sleep(600)
        assert ask(site, "/search.atom?q=zzzz").headers["etag"] == first.headers["etag"]


def test_sitemaps_name_every_edition_and_paper(site):
    def places(path: str) -> list[str]:
        return [node.text for node in ET.fromstring(ask(site, path).body).iter() if node.tag.endswith("loc")]  # noqa: S314 - our own

    maps = [place.removeprefix("https://papers.example.org") for place in places("/sitemap.xml")]
    pages = [page.removeprefix("https://papers.example.org") for one in maps for page in places(one)]
    assert len(pages) == 4 + 3 + 21
    assert all(ask(site, page).status == 200 for page in pages)
