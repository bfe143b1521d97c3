"""For any octets, the parsers of sources return papers within the bounds, or raise SourceError."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from fetching import ScriptedFetcher
from fuzzing import Target, attack, check_texts
from hypothesis import strategies as st

from digestmail.errors import SourceError
from digestmail.model.papers import Sighting, Skipped
from digestmail.papers.citations.formats import CitationFormat, cite
from digestmail.sources.arxiv_api import parse_api_page
from digestmail.sources.arxiv_feed import wanted_types
from digestmail.sources.arxiv_feed_items import parse_arxiv_feed
from digestmail.sources.bounds import MOST_ENTRIES, bounded
from digestmail.sources.discovery import find_feed
from digestmail.sources.feed_items import parse_feed
from digestmail.sources.huggingface_items import parse_daily_papers
from digestmail.sources.opml import parse_opml, render_opml
from digestmail.sources.parsed import YEARS

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)
URL = "https://blog.example.org/feeds/main.xml"
ALL_TYPES = wanted_types(include_cross=True, include_replacements=True)

RSS = b"""application/rss+xml; charset=utf-8
<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/" xmlns:media="http://search.yahoo.com/mrss/"
 xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0">
<channel><title>A blog</title><link>https://blog.example.org/</link><description>About routes</description>
<item><title>Routes of $\\mathcal{O}(n^2)$ &amp; &lt;b&gt;more&lt;/b&gt;</title><link>/routes?utm_source=feed</link>
<guid isPermaLink="false">42</guid><pubDate>Thu, 02 Apr 2026 07:00:00 +0000</pubDate><dc:creator>Ada Lovelace, Emmy Noether</dc:creator>
<category>routing</category><description>&lt;p&gt;See arXiv:2604.00157v2 and 10.1000/xyz.1, $x &lt; y$&lt;/p&gt;</description>
<content:encoded><![CDATA[<p>Long <think>text</think> of <a href="https://arxiv.org/abs/2604.00157">it</a></p>]]></content:encoded></item>
<item><prism:doi>10.1101/2026.03.01.123456</prism:doi><dc:identifier>doi:10.1101/2026.03.01.123456</dc:identifier>
<feedburner:origLink>https://blog.example.org/two</feedburner:origLink><dc:date>2026-04-01</dc:date><title>Two</title>
<media:content url="https://blog.example.org/v.mp4"><media:title>A film</media:title><media:description>Of it</media:description>
</media:content><enclosure url="https://blog.example.org/v.mp3" type="audio/mpeg" length="1"/></item></channel></rss>
"""
ATOM = b"""application/atom+xml
<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://blog.example.org/"><title type="html">A &amp;amp; B</title>
<author><name>The editors</name></author><entry><id>tag:blog.example.org,2026:1</id><title type="xhtml">
<div xmlns="http://www.w3.org/1999/xhtml">Of <i>routes</i></div></title><updated>2026-04-02T07:00:00+02:00</updated>
<published>2026-04-01T07:00:00Z</published><link rel="alternate" href="routes"/><link rel="related" href="https://arxiv.org/abs/2604.1"/>
<link rel="via" href="https://doi.org/10.1000/xyz.1"/><author><name>Kurt G\xc3\xb6del</name></author><category term="cs.LG"/>
<summary type="text">We take the shorter way.</summary><content type="html">&lt;p&gt;All of it&lt;/p&gt;</content></entry></feed>
"""
RDF = b"""text/xml; charset=iso-8859-1
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://j.example.org/"><title>A journal</title></channel>
<item rdf:about="https://j.example.org/1"><title>On caf\xe9s</title><link>https://j.example.org/1</link>
<description>We visit them.</description><dc:creator>Ada Lovelace</dc:creator><dc:date>2026-04-01</dc:date></item></rdf:RDF>
"""
JSON_ITEM = {
    "id": "https://blog.example.org/1",
    "url": "https://blog.example.org/1",
    "external_url": "https://arxiv.org/abs/2604.00157",
    "title": "On routes",
    "summary": "We take <b>the</b> shorter way.",
    "content_text": "All of it",
    "content_html": "<p>All of it</p>",
    "date_published": "2026-04-01T07:00:00+02:00",
    "authors": [{"name": "Ada Lovelace"}],
    "author": {"name": "Emmy Noether"},
    "tags": ["routing"],
}
JSON_FEED = {"version": "https://jsonfeed.org/version/1.1", "title": "A blog", "items": [JSON_ITEM]}
PAGE = b"""text/html
<!doctype html><html><head><title>A blog</title><link rel="alternate" type="application/rss+xml" title="Posts" href="feed.xml">
<link rel=alternate type=application/atom+xml href="https://other.example.org/atom"></head><body><!-- <link> --><p>Hello</body></html>
"""
ARXIV = b"""<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0"><channel>
<title>cs.LG updates on arXiv.org</title><link>http://rss.arxiv.org/rss/cs.LG</link><skipDays><day>Sunday</day></skipDays>
<item><title>Routes of $\\mathcal{O}(n)$</title><link>https://arxiv.org/abs/2604.00157</link><description>arXiv:2604.00157v1 Announce Type: new
Abstract: We route around $x &lt; y$ &amp; keep 43.3\\% of \\textbf{it}, see \\cite{a} and \\'{e}t\\'e.</description>
<guid isPermaLink="false">oai:arXiv.org:2604.00157v1</guid><category>cs.LG</category><category>stat.ML</category>
<pubDate>Thu, 02 Apr 2026 00:00:00 -0400</pubDate><arxiv:announce_type>new</arxiv:announce_type>
<arxiv:DOI>10.1000/xyz.1</arxiv:DOI><dc:creator>Ada Lovelace (Engines, Inc.), Kurt G\\"odel</dc:creator></item></channel></rss>
"""
OLD_ARXIV = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="http://arxiv.org/"><title>cs.LG updates</title></channel>
<item rdf:about="http://arxiv.org/abs/2004.00157"><title>Of routes. (arXiv:2004.00157v2 [cs.LG] UPDATED)</title>
<link>http://arxiv.org/abs/2004.00157</link><description>&lt;p&gt;We take &amp;lt;it&amp;gt;.&lt;/p&gt;</description>
<dc:creator>&lt;a href="http://arxiv.org/find"&gt;Ada Lovelace&lt;/a&gt;</dc:creator></item></rdf:RDF>
"""
API = b"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom"
 xmlns="http://www.w3.org/2005/Atom"><id>https://arxiv.org/api/x</id><title>arXiv Query</title>
<opensearch:totalResults>1</opensearch:totalResults><entry><id>http://arxiv.org/abs/2604.00157v2</id><title>Routes</title>
<updated>2026-04-01T09:00:00Z</updated><summary>We take {\\em the} shorter way.</summary><category term="cs.LG"/>
<published>2026-03-31T17:59:01Z</published><arxiv:primary_category term="cs.LG"/><arxiv:comment>9 pages</arxiv:comment>
<arxiv:doi>10.1000/xyz.1</arxiv:doi><author><name>Ada Lovelace</name></author></entry></feed>
"""
PAPER = {
    "paper": {
        "id": "2604.00157",
        "title": "Sparse routes through $n$ models",
        "summary": "We take the shorter way.",
        "authors": [{"name": "Ada Lovelace", "hidden": False}, None],
        "upvotes": 12,
        "publishedAt": "2026-03-20T10:24:50.000Z",
        "submittedOnDailyAt": "2026-04-01T01:58:49.295Z",
        "ai_summary": "It is short.",
        "ai_keywords": ["routes"],
        "githubRepo": "https://github.com/example/routes",
        "githubStars": 7,
        "projectPage": "https://routes.example.org",
        "organization": {"name": "engines", "fullname": "Analytical Engines"},
        "withdrawnAt": None,
    },
    "title": "Sparse routes",
    "thumbnail": "https://cdn.example.org/1.png",
    "numComments": 3,
}
OPML = b"""<?xml version="1.0" encoding="UTF-8"?>
<opml version="2.0"><head><title>Feeds</title></head><body><outline text="Labs"><outline type="rss" text="One" title="First &amp; lab"
 xmlUrl="https://one.example.org/feed?a=1&b=2"/></outline><outline type="RSS" text="Two&nbsp;lines" url="https://two.example.org/feed"/></body></opml>
"""

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["\ud800", "\0", "a" * 2100]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


def damaged(found: dict[str, object]) -> st.SearchStrategy[dict[str, object]]:
    """Return `found` with a value of another type in some places."""
    return st.dictionaries(st.sampled_from(sorted(found)), VALUES, max_size=4).map(lambda changes: found | changes)


def check_results(sightings: tuple[Sighting | Skipped, ...], body: bytes) -> None:
    assert len(sightings) <= MOST_ENTRIES * 2
    for one in sightings:
        if isinstance(one, Skipped):
            assert one.entry.isprintable()
            continue
        paper = one.paper
        assert paper == bounded(paper)
        assert paper.title.strip()
        assert paper.link.startswith(("http://", "https://"))
        assert one.day.year in YEARS
        assert paper.published_at is None or paper.published_at.tzinfo is UTC
        for wanted in CitationFormat:
            cite([paper], wanted).encode()
    check_texts(sightings, most=100 * len(body) + 10_000)


def feed(data: bytes) -> None:
    """Check an answer: its Content-Type on the first line, then its body."""
    content_type, _, body = data.partition(b"\n")
    with suppress(SourceError):
        parsed = parse_feed(body, source="blog", now=NOW, url=URL, content_type=content_type.decode("latin-1"))
        check_results((*parsed.sightings, *parsed.skipped), body)


def page(data: bytes) -> None:
    content_type, _, body = data.partition(b"\n")
    fetcher = ScriptedFetcher(lambda _request: body, content_type=content_type.decode("latin-1"))
    with suppress(SourceError):
        found = find_feed(fetcher, URL, NOW)
        check_texts([found.title, found.others], most=10 * len(body) + 10_000)
        assert all(one.url.startswith(("http://", "https://")) for one in found.others)
    assert len(fetcher.requests) <= 2


def arxiv_feed(body: bytes) -> None:
    with suppress(SourceError):
        parsed = parse_arxiv_feed(body, source="arxiv", wanted=ALL_TYPES, now=NOW)
        check_results((*parsed.sightings, *parsed.skipped), body)


def arxiv_api(body: bytes) -> None:
    with suppress(SourceError):
        found = parse_api_page(body, source="arxiv")
        assert found.total >= 0
        check_texts(found.results, most=100 * len(body) + 10_000)


def huggingface(body: bytes) -> None:
    with suppress(SourceError):
        parsed = parse_daily_papers(body, source="hf", day=date(2026, 4, 2))
        check_results((*parsed.sightings, *parsed.skipped), body)


def opml(body: bytes) -> None:
    with suppress(SourceError):
        outlines = parse_opml(body)
        check_texts(outlines, most=2 * len(body))
        assert parse_opml(render_opml(outlines, title="Feeds", now=NOW).encode()) == outlines


def as_body(items: list[object], **around: object) -> bytes:
    return b"application/feed+json\n" + json.dumps({**JSON_FEED, **around, "items": items}).encode()


TARGETS = [
    Target(name="feed", check=feed, seeds=[RSS, ATOM, RDF]),
    Target(
        name="json-feed",
        check=feed,
        seeds=[as_body([JSON_ITEM])],
        documents=st.lists(st.one_of(damaged(JSON_ITEM), VALUES), max_size=3).map(as_body),
    ),
    Target(name="web-page", check=page, seeds=[PAGE, RSS]),
    Target(name="arxiv-feed", check=arxiv_feed, seeds=[ARXIV, OLD_ARXIV]),
    Target(name="arxiv-api", check=arxiv_api, seeds=[API]),
    Target(
        name="huggingface",
        check=huggingface,
        seeds=[json.dumps([PAPER]).encode()],
        documents=st.lists(
            st.one_of(
                damaged(PAPER),
                damaged(PAPER["paper"]).map(lambda one: PAPER | {"paper": one}),
                VALUES,  # type: ignore[arg-type] # odd values are what is tried
            ),
            max_size=3,
        ).map(lambda items: json.dumps(items).encode()),
    ),
    Target(name="opml", check=opml, seeds=[OPML]),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_any_octets_are_read_or_refused(target):
    attack(target)
