from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime
from html import escape

import pytest
from fetching import ScriptedFetcher, in_order
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.errors import SourceError, SourceUnavailableError, SourceUnreadableError
from digestmail.model.papers import Origin, Reading
from digestmail.sources.feed import Feed
from digestmail.sources.feed_items import parse_feed
from digestmail.sources.plaintext import (
    TEXT_LIMIT,
    plain_text,
    plain_text_of_double_escaped,
    plain_text_of_text,
    plain_text_of_xhtml,
)

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)
URL = "https://blog.example.org/feed.xml"
PRISM = 'xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/"'
DUBLIN = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'


def rss(*items: str, encoding: str = "utf-8", declared: str | None = None) -> bytes:
    document = (
        f'<?xml version="1.0" encoding="{declared or encoding}"?><rss version="2.0" {DUBLIN} {PRISM} '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>A blog</title>'
        f"<link>https://blog.example.org/</link>{''.join(items)}</channel></rss>"
    )
    return document.encode(encoding)


def item(body: str = "", *, title: str = "On routes", link: str = "https://blog.example.org/routes") -> str:
    return f"<item><title>{escape(title)}</title><link>{escape(link)}</link>{body}</item>"


def atom(*entries: str) -> bytes:
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>A blog</title>{"".join(entries)}</feed>'.encode()


def parse(body: bytes, **options: str):
    return parse_feed(body, source="blog", now=NOW, **{"url": URL, **options})


def only(body: bytes, **options: str):
    (sighting,) = parse(body, **options).sightings
    return sighting


# -- which paper is it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        "https://arxiv.org/abs/2604.00157v2",
        "http://arxiv.org/pdf/2604.00157",
        "https://huggingface.co/papers/2604.00157",
        "https://tldr.example.ai/p/2604.00157",
    ],
)
def test_an_arxiv_id_in_the_link_identifies_the_paper(link):
    sighting = only(rss(item(link=link)))
    assert sighting.paper.id == "arxiv:2604.00157"
    assert sighting.paper.link == link
    assert sighting.paper.origin is Origin.FEED


def test_an_arxiv_id_in_the_guid_identifies_the_paper():
    assert only(rss(item("<guid isPermaLink='false'>oai:arXiv.org:2604.00157v1</guid>"))).paper.id == "arxiv:2604.00157"


def test_the_one_arxiv_paper_a_text_links_to_is_what_it_is_about():
    text = escape('<p>Read <a href="https://arxiv.org/abs/2604.00157">this</a> (arXiv:2604.00157v2).</p>')
    paper = only(rss(item(f"<description>{text}</description>"))).paper
    assert paper.id == "arxiv:2604.00157"
    assert paper.aliases == (), "the address of the blog post is no other name of the paper"
    assert paper.link == "https://blog.example.org/routes"


def test_a_text_about_several_papers_is_about_none_of_them():
    text = escape("<p>Compare arXiv:2604.00157 with https://arxiv.org/abs/2604.00158 and doi:10.1000/xyz.1</p>")
    paper = only(rss(item(f"<description>{text}</description>"))).paper
    assert paper.id == "url:https://blog.example.org/routes"


@pytest.mark.parametrize(
    "body",
    [
        "<dc:identifier>doi:10.1101/2026.03.01.123456</dc:identifier>",
        "<prism:doi>10.1101/2026.03.01.123456</prism:doi>",
        "<guid isPermaLink='false'>https://doi.org/10.1101/2026.03.01.123456</guid>",
        "<description>See https://doi.org/10.1101/2026.03.01.123456 for more.</description>",
    ],
)
def test_a_doi_identifies_the_paper(body):
    assert only(rss(item(body))).paper.id == "doi:10.1101/2026.03.01.123456"


def test_what_has_neither_is_known_by_its_link():
    paper = only(rss(item(link="https://Blog.example.org/routes?utm_source=feed#top"))).paper
    assert paper.id == "url:https://blog.example.org/routes"


def test_one_paper_in_two_entries_is_one_sighting():
    parsed = parse(
        rss(item(link="https://arxiv.org/abs/2604.00157"), item(link="https://huggingface.co/papers/2604.00157"))
    )
    assert len(parsed.sightings) == 1
    assert [skip.reason for skip in parsed.skipped] == ["listed more than once"]


def test_a_missing_link_is_replaced_by_the_guid():
    body = "<item><title>On routes</title><guid isPermaLink='false'>https://blog.example.org/?p=7</guid></item>"
    assert only(rss(body)).paper.link == "https://blog.example.org/?p=7"
    named = "<item><title>On routes</title><guid isPermaLink='false'>oai:arXiv.org:2604.00157v1</guid></item>"
    assert only(rss(named)).paper.link == "https://arxiv.org/abs/2604.00157"


def test_a_missing_guid_does_no_harm_and_a_relative_link_belongs_to_the_feed():
    assert only(rss(item(link="/2026/routes"))).paper.link == "https://blog.example.org/2026/routes"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (item(link="javascript:alert(1)"), "no link and no identifier"),
        (item(link="data:text/html,x"), "no link and no identifier"),
        (item(link="https://"), "no link and no identifier"),
        (item(link="http://[bad"), "no link and no identifier"),
        ("<item><title>Nothing else</title></item>", "no link and no identifier"),
        ("<item><link>https://blog.example.org/untitled</link></item>", "no title"),
        (item(title="<p></p>&nbsp;"), "no title"),
        ("<item/>", "no title"),
    ],
)
def test_one_bad_entry_is_skipped_with_its_reason_and_the_rest_is_kept(broken, reason):
    parsed = parse(rss(broken, item()))
    assert len(parsed.sightings) == 1
    assert [skip.reason for skip in parsed.skipped] == [reason]
    assert all(skip.entry for skip in parsed.skipped)


# -- what makes two entries two papers --------------------------------------------------------------------------------


def ids(*items: str) -> list[str]:
    parsed = parse(rss(*items))
    assert parsed.skipped == ()
    return [sighting.paper.id for sighting in parsed.sightings]


def guid(text: str, *, permalink: bool = False) -> str:
    return f'<guid isPermaLink="{str(permalink).lower()}">{escape(text)}</guid>'


def test_a_guid_is_another_name_of_a_paper():
    paper = only(rss(item(guid("tag:blog.example.org,2026:7")))).paper
    assert (paper.id, paper.aliases) == (
        "url:https://blog.example.org/routes",
        ("guid:blog:tag:blog.example.org,2026:7",),
    )


def test_entries_with_guids_of_their_own_are_papers_even_under_one_link():
    assert ids(item(guid("r-1"), title="One"), item(guid("r-2"), title="Two"), item(guid("r-3"), title="Two")) == [
        "guid:blog:r-1",
        "guid:blog:r-2",
        "guid:blog:r-3",
    ]


def test_entries_whose_links_differ_in_the_fragment_are_papers_if_their_guids_differ():
    links = [f"https://blog.example.org/list#{part}" for part in ("a", "b")]
    with_guids = [item(guid(link, permalink=True), title=link[-1], link=link) for link in links]
    assert ids(*with_guids) == [f"guid:blog:{link}" for link in links]
    found = parse(rss(*with_guids)).sightings
    assert [sighting.paper.link for sighting in found] == links


def test_without_guids_titles_and_fragments_tell_entries_apart():
    links = [f"https://blog.example.org/list#{part}" for part in ("a", "b")]
    assert len(ids(*(item(title=link[-1], link=link) for link in links))) == 2
    assert len(parse(rss(*(item(title="Same", link=link) for link in links[:1] * 2))).sightings) == 1


def test_a_fragment_makes_no_other_paper():
    assert only(rss(item(link="https://blog.example.org/routes#top"))).paper.id == only(rss(item())).paper.id


def test_http_and_https_are_one_address():
    assert ids(item(link="http://blog.example.org/routes")) == ids(item())
    plain = only(rss(item(guid("http://blog.example.org/?p=7", permalink=True)))).paper
    secure = only(rss(item(guid("https://blog.example.org/?p=7", permalink=True)))).paper
    assert plain.aliases == secure.aliases
    assert ids(item(link="http://blog.example.org:8080/a")) == ["url:http://blog.example.org:8080/a"]


def test_a_guid_that_stands_in_every_entry_is_none():
    links = [f"https://blog.example.org/{number}" for number in range(3)]
    assert ids(*(item(guid("blog"), title=link, link=link) for link in links)) == [f"url:{link}" for link in links]


def test_the_paper_that_a_link_blog_writes_about_is_the_paper():
    entry = (
        '<entry><title>Worth reading</title><id>tag:b,2026:1</id><link rel="related" href="https://arxiv.org/abs/2604.1"/>'
        '<link rel="related" href="https://arxiv.org/abs/2604.00157"/><link href="https://blog.example.org/1"/></entry>'
    ).replace('https://arxiv.org/abs/2604.1"', 'https://other.example.org/x"')
    paper = only(atom(entry)).paper
    assert paper.link == "https://blog.example.org/1"
    assert paper.id in {"arxiv:2604.00157", "url:https://blog.example.org/1"}


def test_two_papers_that_one_page_is_related_to_stay_two():
    entries = [
        f'<entry><title>On {number}</title><id>tag:b,2026:{number}</id><link href="https://blog.example.org/list"/>'
        f'<link rel="related" href="https://arxiv.org/abs/2604.0015{number}"/></entry>'
        for number in (7, 8)
    ]
    papers = [sighting.paper for sighting in parse(atom(*entries)).sightings]
    assert [(paper.id, paper.aliases) for paper in papers] == [("arxiv:2604.00157", ()), ("arxiv:2604.00158", ())]


@pytest.mark.parametrize(
    ("body", "link"),
    [
        (guid("https://blog.example.org/1", permalink=True), "https://blog.example.org/1"),
        ('<enclosure url="https://blog.example.org/1.pdf" type="application/pdf"/>', "https://blog.example.org/1.pdf"),
        (
            (
                '<feedburner:origLink xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0">'
                "https://blog.example.org/1</feedburner:origLink><link>https://feeds.example.org/~r/1</link>"
            ),
            "https://blog.example.org/1",
        ),
    ],
)
def test_an_entry_without_a_link_of_its_own_is_found_by_another_one(body, link):
    assert only(rss(f"<item><title>On routes</title>{body}</item>")).paper.link == link


def test_a_guid_that_is_no_address_is_no_link():
    parsed = parse(rss("<item><title>On routes</title><guid>42</guid></item>"))
    assert [skip.reason for skip in parsed.skipped] == ["no link and no identifier"]


def test_links_belong_to_the_nearest_base_and_that_to_the_address_of_the_feed():
    body = (
        b'<feed xmlns="http://www.w3.org/2005/Atom" xml:base="posts/"><title>A blog</title>'
        b'<entry xml:base="2026/"><title>In</title><link href="in"/></entry><entry><title>Out</title><link href="out"/>'
        b'</entry><entry xml:base="https://other.example.org/x/"><title>Off</title><link href="../off"/></entry></feed>'
    )
    links = [sighting.paper.link for sighting in parse(body, url="https://blog.example.org/feeds/all").sightings]
    assert links == [
        "https://blog.example.org/feeds/posts/2026/in",
        "https://blog.example.org/feeds/posts/out",
        "https://other.example.org/off",
    ]


def test_an_untitled_note_is_called_by_its_first_sentence():
    note = "<description>We trained a small model.  It works. " + "And more. " * 40 + "</description>"
    paper = only(rss(f"<item><link>https://blog.example.org/n</link>{note}</item>")).paper
    assert paper.title.startswith("We trained a small model. It works.")
    assert len(paper.title) <= 120


# -- when, who --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "<pubDate>Wed, 01 Apr 2026 10:00:00 +0000</pubDate>",
        "<pubDate>2026-04-01T10:00:00Z</pubDate>",
        "<pubDate>2026-04-01</pubDate>",
        "<dc:date>2026-04-01T23:00:00+09:00</dc:date>",
        "<pubDate>20260401</pubDate>",
        "<pubDate>1 Apr 2026 10:00:00 GMT</pubDate>",
        "<pubDate>2026/04/01 23:10:00</pubDate>",
        "<pubDate>2026.4.1</pubDate>",
        "<pubDate>2026年04月01日</pubDate>",
    ],
)
def test_dates_are_understood_in_any_usual_form(line):
    sighting = only(rss(item(line)))
    assert sighting.day == date(2026, 4, 1)
    assert sighting.paper.published_at is not None
    assert sighting.paper.published_at.date() == date(2026, 4, 1)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "<pubDate>soon</pubDate>",
        "<pubDate>99999-01-01</pubDate>",
        "<pubDate>0000-01-01</pubDate>",
        # feedparser makes the first of this month, or of January, of them.
        "<dc:date>2026</dc:date>",
        "<pubDate>2026-03</pubDate>",
        "<pubDate>2026-Mar-20</pubDate>",
        "<pubDate>20-03-2026</pubDate>",
        "<pubDate>12026</pubDate>",
        "<pubDate>2026/02/30</pubDate>",
    ],
)
def test_without_a_date_it_is_of_the_day_it_was_seen(line):
    sighting = only(rss(item(line)))
    assert (sighting.day, sighting.paper.published_at) == (NOW.date(), None)


@settings(deadline=None)
@given(
    st.from_regex(
        r"[+-]?[0-9]{0,5}-?[0-9]{0,2}-?[0-9]{0,2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:?[0-9]{2}))?"
    )
)
def test_no_date_is_odd_enough_to_cost_the_entry(text):
    assert only(rss(item(f"<pubDate>{escape(text)}</pubDate>"))).day <= NOW.date()


def test_a_date_in_the_future_does_not_make_an_entry_stay_new():
    assert only(rss(item("<pubDate>Fri, 01 Apr 2099 10:00:00 +0000</pubDate>"))).day == NOW.date()


def test_the_date_of_a_mention_is_not_the_date_of_an_arxiv_paper():
    mention = item("<pubDate>Wed, 01 Apr 2026 10:00:00 +0000</pubDate>", link="https://arxiv.org/abs/1706.03762")
    sighting = only(rss(mention))
    assert (sighting.day, sighting.paper.published_at) == (date(2026, 4, 1), None)


@pytest.mark.parametrize(
    ("line", "authors"),
    [
        ("<dc:creator>Ada Lovelace</dc:creator>", ("Ada Lovelace",)),
        ("<dc:creator>Ada Lovelace, Emmy Noether</dc:creator>", ("Ada Lovelace", "Emmy Noether")),
        (
            "<dc:creator>Ada Lovelace</dc:creator><dc:creator>Emmy Noether</dc:creator>",
            ("Ada Lovelace", "Emmy Noether"),
        ),
        (
            "<dc:creator>Lovelace, A., de la Cruz, J.-P., Gödel, K. F.</dc:creator>",
            ("A. Lovelace", "J.-P. de la Cruz", "K. F. Gödel"),
        ),
        ("<author>ada@example.org (Ada Lovelace)</author>", ("Ada Lovelace",)),
        ("<author>ada@example.org</author>", ()),
        ("<author>ada@institute.science (Ada Lovelace)</author>", ("Ada Lovelace",)),
        (
            "<author>a@example.org (Ada Lovelace), e@example.org (Emmy Noether)</author>",
            ("Ada Lovelace", "Emmy Noether"),
        ),
        ("<dc:creator>Ada Lovelace (ada@example.org)</dc:creator>", ("Ada Lovelace",)),
        (
            "<dc:creator><![CDATA[Ada Lovelace <ada@example.org>, Emmy Noether <e@example.org>]]></dc:creator>",
            ("Ada Lovelace", "Emmy Noether"),
        ),
        (
            "<dc:creator>Lovelace, Augusta</dc:creator><dc:creator>Noether, Emmy</dc:creator>",
            ("Augusta Lovelace", "Emmy Noether"),
        ),
        ("<authors>Ada Lovelace;Emmy Noether</authors>", ("Ada Lovelace", "Emmy Noether")),
        ("", ()),
    ],
)
def test_authors_are_split_and_mail_addresses_left_out(line, authors):
    assert only(rss(item(line))).paper.authors == authors


@pytest.mark.parametrize(
    "name",
    [
        *("authors", "author_detail", "contributors", "created_parsed", "enclosures", "links", "published_parsed"),
        *("summary_detail", "tags", "title_detail", "updated_parsed", "Authors"),
    ],
)
def test_an_element_of_any_name_costs_no_entry(name):
    known = "<author>ada@example.org (Ada Lovelace)</author><dc:contributor>Emmy Noether</dc:contributor>"
    feed = rss(
        item(f"{known}<{name}>x</{name}>"), item(f"<{name}/>", link="https://blog.example.org/2"), item(link="/3")
    )
    assert [sighting.paper.title for sighting in parse(feed).sightings] == ["On routes"] * 3


def test_a_bare_ampersand_is_one():
    bare = "<item><title>Q&A with R&D at AT&T, &lt;&#38;&gt;</title><link>https://e.example.org/?a=1&b=2</link></item>"
    sighting = only(rss(bare))
    assert sighting.paper.title == "Q&A with R&D at AT&T, <&>"
    assert sighting.paper.link == "https://e.example.org/?a=1&b=2"
    quoted = "<item><title>One</title><link>/1</link><description><![CDATA[a & b <tags>]]></description></item>"
    assert only(rss(quoted)).paper.abstract == "a & b <tags>"


def test_of_several_pages_in_atom_the_first_is_the_page():
    links = "".join(f'<link href="https://blog.example.org/1{ending}"/>' for ending in ("", ".pdf", ".mp3"))
    assert only(atom(f"<entry><title>T</title>{links}</entry>")).paper.link == "https://blog.example.org/1"


def test_only_arxiv_categories_are_categories():
    lines = "<category>cs.LG</category><category>Machine learning</category><category>ai</category>"
    assert only(rss(item(lines))).paper.categories == ("cs.LG",)


# -- texts ------------------------------------------------------------------------------------------------------------


def test_html_in_a_description_becomes_plain_text():
    html = (
        '<style>p {color: red}</style><p class="lead">Routes &amp; <b>roads</b><br/>end here.</p><!-- ad -->'
        '<img src="x.png" alt="a &gt; b"><iframe src="https://v.example.org" allowfullscreen></iframe>'
        "<script>track('<p>')</script>H<sub>2</sub>O"
    )
    paper = only(rss(item(f"<description>{escape(html)}</description>"))).paper
    assert paper.abstract == "Routes & roads end here. H₂O"
    assert paper.raw_abstract == html


def test_html_escaped_twice_becomes_plain_text_too():
    text = escape(escape("<p>Routes &amp; roads</p>"))
    assert only(rss(item(f"<description>{text}</description>"))).paper.abstract == "Routes & roads"


HTML = "<h2>News</h2><p>Routes &amp; <b>roads</b>, <s>9</s> 10.</p>"
XHTML = f'<div xmlns="http://www.w3.org/1999/xhtml">{HTML}</div>'
CLEAN = "News Routes & roads, 9 10."


@pytest.mark.parametrize(
    "text",
    [
        f'<content type="html">{escape(HTML)}</content>',
        f'<content type="html"><![CDATA[{HTML}]]></content>',
        f'<content type="html">{escape(escape(HTML))}</content>',
        f'<content type="xhtml">{XHTML}</content>',
        f"<content>{escape(HTML)}</content>",
        f'<content type="text">{escape(HTML)}</content>',
        f'<summary type="html">{escape(HTML)}</summary>',
        f'<summary type="html">{escape(escape(HTML))}</summary>',
        f'<summary type="xhtml">{XHTML}</summary>',
        f"<summary>{escape(HTML)}</summary>",
        f'<summary/><content type="html">{escape(HTML)}</content>',
        f'<summary type="html"></summary><content type="xhtml">{XHTML}</content>',
    ],
)
def test_html_in_atom_becomes_plain_text_wherever_it_stands(text):
    entry = f'<entry><title>T</title><link href="https://blog.example.org/a"/>{text}</entry>'
    assert only(atom(entry)).paper.abstract == CLEAN
    # The tolerant parser, which reads what is not well-formed, says the same.
    assert only(atom(entry + "<entry><title>&nosuch; <b></title></entry>")).paper.abstract == CLEAN


@pytest.mark.parametrize(
    "text",
    [
        f"<description>{escape(HTML)}</description>",
        f"<description><![CDATA[{HTML}]]></description>",
        f"<description>{escape(escape(HTML))}</description>",
        f"<content:encoded><![CDATA[{HTML}]]></content:encoded>",
        f"<description></description><content:encoded>{escape(HTML)}</content:encoded>",
    ],
)
def test_html_in_rss_becomes_plain_text_wherever_it_stands(text):
    assert only(rss(item(text))).paper.abstract == CLEAN


@pytest.mark.parametrize("key", ["summary", "content_text", "content_html"])
def test_html_in_a_json_feed_becomes_plain_text_wherever_it_stands(key):
    paper = only(json_feed({"id": "1", "url": "/1", "title": "A &amp; <b>B</b>", key: HTML})).paper
    assert (paper.title, paper.abstract) == ("A & B", CLEAN)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<p>By <a data-x href="u" class="c">@me</a> <g-emoji alias="a">x</g-emoji></p>', "By @me x"),
        ("<jats:title>Aim</jats:title><jats:p>We <jats:italic>do</jats:italic>.</jats:p>", "Aim We do."),
        ("<p>an <o:p></o:p>end</p>", "an end"),
        (
            (
                '<p>for <math xmlns="m"><semantics><mrow><mi>x</mi><mo>&lt;</mo><mn>1</mn></mrow>'
                '<annotation encoding="application/x-tex">x</annotation></semantics></math></p>'
            ),
            "for x<1",
        ),
        ("<!DOCTYPE html><html><head></head><body><p>Whole page</p></body></html>", "Whole page"),
        ("<p>the &lt;table&gt; element, &lt;think&gt; and <EOS></p>", "the <table> element, <think> and <EOS>"),
        ("<p>Q&amp;amp;A</p>", "Q&A"),
        ("between <s> and </s>, was <s>old</s>", "between <s> and </s>, was old"),
        ("a <tool-call> with <path> and <title>", "a <tool-call> with <path> and <title>"),
        ("10<sup>4</sup> CO<sub>2</sub> in 10<sup><b>&#8722;15</b></sup> M", "10⁴ CO₂ in 10⁻¹⁵ M"),
        ("10<jats:sup>6</jats:sup> cells", "10⁶ cells"),
        ("x<sup>n+1</sup>, v<sub>max</sub>, the 1<sup>st</sup> of <sup>", "xⁿ⁺¹, vmax, the 1st of"),
    ],
)
def test_what_publishers_and_editors_leave_in_html_goes(html, text):
    assert only(rss(item(f"<description>{escape(html)}</description>"))).paper.abstract == text


def test_every_tag_of_xhtml_is_a_tag_and_what_is_escaped_there_is_text():
    xhtml = '<div xmlns="http://www.w3.org/1999/xhtml">a &lt; b <think>c</think> &lt;think&gt;</div>'
    entry = f'<entry><title type="xhtml">{xhtml}</title><link href="https://blog.example.org/a"/></entry>'
    assert only(atom(entry)).paper.title == "a < b c <think>"


@pytest.mark.parametrize(
    ("texts", "abstract"),
    [
        ("<description>On routes</description><content:encoded>The text.</content:encoded>", "The text."),
        (
            "<description>&lt;img src='x.png'/&gt;</description><content:encoded>The text.</content:encoded>",
            "The text.",
        ),
        ("<description>&lt;a href='x'&gt;Comments&lt;/a&gt;</description>", ""),
        ("<description>No content.</description>", ""),
        (
            (
                "<description>We trained a small model on routes […]</description>"
                "<content:encoded>We trained a small model on routes and roads.</content:encoded>"
            ),
            "We trained a small model on routes and roads.",
        ),
        (
            "<description>We found more …</description><content:encoded>Another text, much longer.</content:encoded>",
            "We found more …",
        ),
        ("<description>Short.</description><content:encoded>A much longer text.</content:encoded>", "Short."),
    ],
)
def test_the_text_that_says_most_is_the_abstract(texts, abstract):
    assert only(rss(item(texts))).paper.abstract == abstract


@pytest.mark.parametrize("prefix", ["media", "m"])
@pytest.mark.parametrize("first", [True, False])
def test_the_words_of_a_picture_are_not_those_of_the_entry(prefix, first):
    media = (
        f'<{prefix}:group xmlns:{prefix}="http://search.yahoo.com/mrss/">'
        f'<{prefix}:title type="plain">A photo</{prefix}:title>'
        f"<{prefix}:description>Of a road</{prefix}:description></{prefix}:group>"
    )
    own = "<title>On routes</title><description>Our text.</description>"
    link = "<link>https://blog.example.org/a</link>"
    paper = only(rss(f"<item>{link}{media + own if first else own + media}</item>")).paper
    assert (paper.title, paper.abstract) == ("On routes", "Our text.")
    alone = only(rss(f"<item>{link}{media}</item>")).paper
    assert (alone.title, alone.abstract) == ("A photo", "Of a road")


def test_pictures_in_base64_are_no_text():
    picture = '<content type="image/png">iVBORw0KGgo=</content>'
    entry = f'<entry><title>T</title><link href="https://b.example.org/a"/>{picture}</entry>'
    assert only(atom(entry)).paper.abstract == ""


def test_what_arxiv_puts_before_an_abstract_is_no_part_of_it():
    text = "arXiv:2604.00157v1 Announce Type: new \nAbstract: We take the shorter way."
    paper = only(rss(item(f"<description>{text}</description>", link="https://arxiv.org/abs/2604.00157"))).paper
    assert paper.abstract == "We take the shorter way."


def test_a_title_that_looks_like_a_tag_survives():
    assert only(rss(item(title="Stop at <think> or <s>"))).paper.title == "Stop at <think> or <s>"
    assert only(rss(item(title="<b>Stop</b> at <think>"))).paper.title == "Stop at <think>"
    assert only(rss(item(title="<i>Routes</i> &amp; roads"))).paper.title == "Routes & roads"


def test_text_that_atom_calls_text_is_text():
    entry = (
        '<entry><title type="text">The &lt;b&gt; tag</title><link href="https://blog.example.org/b"/>'
        '<summary type="text">Use &lt;p&gt; &amp;amp; be done</summary></entry>'
    )
    paper = only(atom(entry)).paper
    assert (paper.title, paper.abstract) == ("The <b> tag", "Use <p> &amp; be done")


def test_without_a_summary_the_content_is_shortened():
    content = escape("<p>" + "Routes and roads. " * 2_000 + "</p>")
    paper = only(rss(item(f"<content:encoded>{content}</content:encoded>"))).paper
    assert paper.abstract.startswith("Routes and roads. Routes")
    assert paper.abstract.endswith(" …")
    assert len(paper.abstract) <= TEXT_LIMIT + 2


TAGGISH = st.lists(
    st.sampled_from(
        [
            "<",
            ">",
            "</",
            "<b",
            "<p>",
            "<!--",
            "-->",
            "<script>",
            "</script>",
            "<style",
            "=",
            '"',
            "'",
            " ",
            "a",
            "&lt;",
            "&amp;",
            ";",
            "x y",
            "<think>",
            "/>",
        ]
    ),
    max_size=40,
).map("".join)


@settings(deadline=None)
@given(TAGGISH)
def test_words_are_never_lost_with_the_tags(text):
    assert "word" in plain_text(f"{text}\n word \n")
    assert plain_text("a<b and c>d") == "a<b and c>d"


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<a b=<a b=",
            "<!--",
            "<script>",
            "<p a=b ",
            '<a b="',
            "&lt;",
            "--></script><script>",
            " <",
            "<s>",
            "<s>a</s",
        ),
        *(
            "<a-b ",
            "<m:a ",
            "<p>",
            "</p>",
            "<br ",
            "<think a='",
            "<annotation>",
            "</annotation><annotation>",
            "<!doctype ",
            "<sup>",
            "<sup>a<",
        ),
    ],
)
@pytest.mark.parametrize(
    "clean",
    [plain_text, plain_text_of_double_escaped, plain_text_of_xhtml, plain_text_of_text],
    ids=lambda f: f.__name__,
)
def test_hostile_texts_cost_no_more_than_their_length(piece, clean):
    text = piece * 1_000_000
    began = time.process_time()
    assert len(clean(text)) <= TEXT_LIMIT + 2
    assert time.process_time() - began < 1


# -- broken feeds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (rss(item(title="Größe"), encoding="iso-8859-1"), "Größe"),
        (rss(item(title="Цитата"), encoding="windows-1251"), "Цитата"),
        (rss(item(title="Größe"), encoding="utf-8", declared="bogus"), "Größe"),
        (rss(item(title="Größe"), encoding="windows-1252", declared="utf-8"), "Größe"),
        (b"\xef\xbb\xbf" + rss(item(title="Größe")), "Größe"),
        (rss(item(title="Größe"), encoding="utf-16"), "Größe"),
        (rss(item(title="مسارات")), "مسارات"),
    ],
)
def test_a_wrong_or_unusual_encoding_is_no_reason_to_fail(body, title):
    assert only(body).paper.title == title
    assert parse(body).partial is None


def test_the_charset_of_the_answer_counts():
    body = rss(item(title="Цитата"), encoding="koi8-r").replace(b' encoding="koi8-r"', b"")
    assert only(body, content_type="application/rss+xml; charset=koi8-r").paper.title == "Цитата"


def test_what_servers_put_before_a_feed_is_passed_over():
    body = rss(item())
    for before in (b"\n\n  ", b"<!-- made by hand -->", b"<br/><b>Notice</b>: x<br/>\n", b"Notice: undefined index\n"):
        assert only(before + body).paper.title == "On routes"
    assert only(body.replace(b"On routes", b"On\x0b \x00routes")).paper.title == "On routes"


def test_a_doctype_does_no_harm_and_its_entities_are_those_of_html():
    doctype = '<!DOCTYPE rss PUBLIC "-//Example//DTD//EN" "http://dtd.example.org/rss.dtd">'
    declaration, rest = rss(item().replace("On routes", "On&nbsp;r&ocirc;les")).decode().split("?>", 1)
    assert only(f"{declaration}?>{doctype}{rest}".encode()).paper.title == "On rôles"


def test_undeclared_namespaces_and_unknown_entities_are_survived():
    body = rss(item("<media:thing>x</media:thing><description>Routes &nosuch; roads</description>"))
    assert only(body).paper.title == "On routes"
    assert parse(body).partial is None


def test_a_cut_feed_gives_its_whole_entries_and_says_that_it_is_cut():
    body = rss(item(link="https://blog.example.org/1"), item("<description>Half of</description>"))
    parsed = parse(body[: body.rindex(b" of<")])
    assert [sighting.paper.link for sighting in parsed.sightings] == ["https://blog.example.org/1"]
    assert [skip.reason for skip in parsed.skipped] == ["cut off"]
    assert parsed.partial == "the feed is cut off"


def test_rdf_is_read():
    body = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        f'{DUBLIN}><channel rdf:about="https://journal.example.org"><title>J</title></channel>'
        '<item rdf:about="https://journal.example.org/1"><title><![CDATA[\n  On routes\n]]></title>'
        "<link>\n https://journal.example.org/1 \n</link><description>Short.</description>"
        "<dc:identifier>doi:10.1101/857789</dc:identifier><dc:date>2026-03-29</dc:date></item></rdf:RDF>"
    ).encode()
    sighting = only(body)
    assert sighting.paper.id == "doi:10.1101/857789"
    assert sighting.paper.aliases == ("url:https://journal.example.org/1",)
    assert sighting.paper.title == "On routes"
    assert sighting.day == date(2026, 3, 29)


def test_an_empty_feed_is_an_empty_reading():
    assert parse(rss()).entries == 0
    assert parse(atom()).entries == 0
    assert parse(b'<feed xmlns="http://www.w3.org/2005/Atom"/>').entries == 0
    assert parse(rss(declared="bogus")).entries == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"Rate exceeded.",
        b"\x00\xff<html><p>maintenance",
        b"<html><body>hello</body></html>",
        b"<note><to>you</to></note>",
        b'<rss version="2.0"><channel><title>x',
        b"<!DOCTYPE rss [<!ENTITY a 'b'>]><rss version='2.0'><channel><title>&a;</title></channel></rss>",
        b'{"items": []}',
        b"{",
        b'{"version": "https://jsonfeed.org/version/1.1", "items": {}}',
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_feed_is_unreadable(body):
    with pytest.raises(SourceUnreadableError):
        parse(body)


def test_the_operator_reads_how_an_unreadable_answer_begins():
    with pytest.raises(SourceUnreadableError, match=r"not a feed \(.*\): it begins with 'Down for maintenance'"):
        parse(b"\x00 Down for\nmaintenance")
    with pytest.raises(SourceUnreadableError, match=r"not JSON \(.*\): it begins with '{oops'"):
        parse(b"{oops")


@settings(deadline=None)
@given(st.data())
def test_whatever_is_done_to_its_bytes_nothing_but_a_source_error_comes_out(data):
    body = bytearray(rss(item("<pubDate>Wed, 01 Apr 2026 10:00:00 +0000</pubDate>"), item("<author>a@b.c</author>")))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=12))
    try:
        parsed = parse(bytes(body))
    except SourceError:
        return
    for sighting in parsed.sightings:
        assert sighting.paper.link.startswith(("http://", "https://"))
        assert sighting.paper.raw_title.encode()


# -- JSON Feed --------------------------------------------------------------------------------------------------------


def json_feed(*items: object) -> bytes:
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "A blog", "items": items}).encode()


def test_a_json_feed_is_read():
    sighting = only(
        json_feed(
            {
                "id": 7,
                "url": "/routes",
                "title": "On <think>",
                "content_html": "<p>Routes &amp; roads</p>",
                "date_published": "2026-04-01T23:30:00-05:00",
                "authors": [{"name": "Ada Lovelace", "url": "https://ada.example.org"}, {}],
                "tags": ["cs.LG", "ai"],
            }
        ),
        content_type="application/feed+json",
    )
    assert sighting.paper.link == "https://blog.example.org/routes"
    assert sighting.paper.title == "On <think>"
    assert sighting.paper.abstract == "Routes & roads"
    assert sighting.paper.authors == ("Ada Lovelace",)
    assert sighting.paper.categories == ("cs.LG",)
    assert sighting.paper.published_at == datetime(2026, 4, 2, 4, 30, tzinfo=UTC)
    assert sighting.day == date(2026, 4, 2)


def test_the_date_of_the_last_change_counts_if_there_is_no_other():
    changed = {"url": "/1", "title": "T", "date_modified": "2026-01-01T00:00:00Z"}
    assert only(json_feed(changed)).day == date(2026, 1, 1)
    assert only(json_feed(changed | {"date_published": "2026-04-01T00:00:00Z"})).day == date(2026, 4, 1)


def test_an_impossible_date_does_not_cost_the_item():
    body = json_feed({"url": "/1", "title": "T", "date_published": "0001-01-01T00:00:00+14:00"})
    assert only(body).day == NOW.date()


def test_a_json_feed_is_known_by_its_bytes_too_and_version_1_had_one_author():
    body = b"\xef\xbb\xbf \n" + json_feed(
        {
            "id": "https://arxiv.org/abs/2604.00157",
            "title": "T",
            "author": {"name": "Ada"},
            "summary": "a <b> c",
            "tags": 5,
        }
    )
    sighting = only(body)
    assert sighting.paper.id == "arxiv:2604.00157"
    assert sighting.paper.authors == ("Ada",)
    assert sighting.paper.abstract == "a <b> c"


def test_what_a_link_blog_writes_about_is_the_paper():
    body = json_feed(
        {"id": "1", "url": "https://b.example.org/1", "external_url": "https://arxiv.org/abs/2604.00157", "title": "T"}
    )
    assert only(body).paper.id == "arxiv:2604.00157"


def test_bad_items_of_a_json_feed_are_skipped_with_their_reason():
    parsed = parse(json_feed("text", {"id": "1"}, {"title": "T"}, {"title": "T", "url": "https://b.example.org/1"}))
    assert len(parsed.sightings) == 1
    assert [skip.reason for skip in parsed.skipped] == ["not an object", "no title", "no link and no identifier"]


# -- reading ----------------------------------------------------------------------------------------------------------


def read(outcome: bytes | Exception | None, content_type: str = "") -> tuple[Reading, ScriptedFetcher]:
    fetcher = ScriptedFetcher(in_order(outcome), content_type=content_type)
    return Feed(name="blog", fetcher=fetcher, url=URL).read(NOW, None), fetcher


def test_it_reads_what_the_feed_shows_now():
    reading, fetcher = read(rss(item(), "<item/>"))
    assert [request.url for request in fetcher.requests] == [URL]
    assert fetcher.requests[0].conditional
    assert (reading.source, reading.entries, len(reading.sightings), len(reading.skipped)) == ("blog", 2, 1, 1)
    assert reading.categories == ()
    assert set(reading.validators) == {URL}


def test_the_content_type_reaches_the_parser():
    reading, _ = read(json_feed({"title": "T", "url": "/1"}), "application/json")
    assert len(reading.sightings) == 1


def test_not_modified_is_an_unchanged_reading():
    reading, _ = read(None)
    assert reading.unchanged
    assert reading.entries == 0


def test_a_cut_feed_leaves_no_validators_so_that_it_is_read_again():
    reading, _ = read(rss(item(), item(link="https://blog.example.org/2"))[:-60])
    assert reading.partial == "the feed is cut off"
    assert reading.validators == {}


def test_relative_links_belong_to_the_address_that_answered():
    fetcher = ScriptedFetcher(in_order(rss(item(link="/routes"))), redirected_to="https://moved.example.org/new/feed")
    reading = Feed(name="blog", fetcher=fetcher, url=URL).read(NOW, None)
    assert [sighting.paper.link for sighting in reading.sightings] == ["https://moved.example.org/routes"]
    assert set(reading.validators) == {URL}


def test_a_challenge_page_is_called_one():
    for content_type in ("text/html", "application/rss+xml", "application/json"):
        with pytest.raises(SourceUnreadableError, match="challenge page of Cloudflare"):
            read(b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>", content_type)


def test_what_the_network_says_is_passed_on():
    with pytest.raises(SourceUnavailableError, match="nobody answers"):
        read(SourceUnavailableError("nobody answers"))
