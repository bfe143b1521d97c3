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
from digestmail.sources.feed import Feed, parse_feed
from digestmail.sources.plaintext import TEXT_LIMIT, plain_text

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


# -- when, who --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "<pubDate>Wed, 01 Apr 2026 10:00:00 +0000</pubDate>",
        "<pubDate>2026-04-01T10:00:00Z</pubDate>",
        "<pubDate>2026-04-01</pubDate>",
        "<dc:date>2026-04-01T23:00:00+09:00</dc:date>",
    ],
)
def test_dates_are_understood_in_any_usual_form(line):
    sighting = only(rss(item(line)))
    assert sighting.day == date(2026, 4, 1)
    assert sighting.paper.published_at is not None
    assert sighting.paper.published_at.date() == date(2026, 4, 1)


@pytest.mark.parametrize(
    "line", ["", "<pubDate>soon</pubDate>", "<pubDate>99999-01-01</pubDate>", "<pubDate>0000-01-01</pubDate>"]
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
        ("", ()),
    ],
)
def test_authors_are_split_and_mail_addresses_left_out(line, authors):
    assert only(rss(item(line))).paper.authors == authors


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
    assert paper.abstract == "Routes & roads end here. H2O"
    assert paper.raw_abstract == html


def test_html_escaped_twice_becomes_plain_text_too():
    text = escape(escape("<p>Routes &amp; roads</p>"))
    assert only(rss(item(f"<description>{text}</description>"))).paper.abstract == "Routes & roads"


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
    "piece", ["<a b=<a b=", "<!--", "<script>", "<p a=b ", '<a b="', "&lt;", "--></script><script>", " <"]
)
def test_hostile_texts_cost_no_more_than_their_length(piece):
    text = piece * 1_000_000
    began = time.process_time()
    assert len(plain_text(text)) <= TEXT_LIMIT + 2
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


def test_what_the_network_says_is_passed_on():
    with pytest.raises(SourceUnavailableError, match="nobody answers"):
        read(SourceUnavailableError("nobody answers"))
