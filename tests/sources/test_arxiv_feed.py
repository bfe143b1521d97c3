from __future__ import annotations

from datetime import UTC, date, datetime
from xml.sax.saxutils import escape

import pytest
from fetching import ScriptedFetcher, in_order
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.errors import SourceError, SourceRefusedError, SourceUnavailableError, SourceUnreadableError
from digestmail.model.papers import AnnounceType, Origin, Reading
from digestmail.sources import arxiv_feed_items
from digestmail.sources.arxiv_feed import ArxivFeed, wanted_types
from digestmail.sources.arxiv_feed_items import parse_arxiv_feed

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)
DEFAULT = wanted_types(include_cross=True, include_replacements=False)
NAMESPACES = 'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"'
ABSTRACT = "We route around $x < y$ & keep 43.3\\% of it."


def item(
    number: int = 1,
    *,
    title: str = "Routes of $\\mathcal{O}(n)$",
    announced: str = "new",
    abstract: str = ABSTRACT,
    creator: str = 'Ada Lovelace, Kurt G\\"odel',
    categories: tuple[str, ...] = ("cs.LG", "stat.ML"),
    date_line: str = "<pubDate>Thu, 02 Apr 2026 00:00:00 -0400</pubDate>",
    more: str = "",
) -> str:
    arxiv_id = f"2604.{number:05d}"
    text = f"arXiv:{arxiv_id}v1 Announce Type: {announced} \nAbstract: {abstract}"
    return (
        f"<item><title>{escape(title)}</title><link>https://arxiv.org/abs/{arxiv_id}</link>"
        f"<description>{escape(text)}</description>"
        f'<guid isPermaLink="false">oai:arXiv.org:{arxiv_id}v1</guid>'
        + "".join(f"<category>{category}</category>" for category in categories)
        + f"{date_line}<arxiv:announce_type>{announced}</arxiv:announce_type>"
        f"<dc:rights>http://creativecommons.org/licenses/by/4.0/</dc:rights>{more}"
        f"<dc:creator>{escape(creator)}</dc:creator></item>"
    )


def rss(*items: str, title: str = "cs.LG updates on arXiv.org") -> bytes:
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<rss {NAMESPACES} version=\"2.0\"><channel><title>{title}</title>"
        "<link>http://rss.arxiv.org/rss/cs.LG</link><description>updates</description>"
        "<lastBuildDate>Thu, 02 Apr 2026 04:00:02 +0000</lastBuildDate>"
        "<managingEditor>rss-help@arxiv.org</managingEditor>"
        f"<skipDays><day>Saturday</day><day>Sunday</day></skipDays>{''.join(items)}</channel></rss>"
    ).encode()


def atom(*entries: str) -> bytes:
    return (
        f'<feed xmlns="http://www.w3.org/2005/Atom" {NAMESPACES}><id>http://rss.arxiv.org/atom/cs.LG</id>'
        "<title>cs.LG updates on arXiv.org</title><updated>2026-04-02T04:00:11+00:00</updated>"
        f"{''.join(entries)}</feed>"
    ).encode()


def parse(body: bytes, wanted: frozenset[AnnounceType] = DEFAULT):
    return parse_arxiv_feed(body, source="arxiv", wanted=wanted, now=NOW)


def only(body: bytes, wanted: frozenset[AnnounceType] = DEFAULT):
    (sighting,) = parse(body, wanted).sightings
    return sighting


# -- one item ---------------------------------------------------------------------------------------------------------


def test_it_reads_an_announcement():
    sighting = only(rss(item(more="<arxiv:DOI>10.1093/Routes/btac431</arxiv:DOI>")))
    paper = sighting.paper
    assert paper.id == "arxiv:2604.00001"
    assert paper.aliases == ("doi:10.1093/routes/btac431",)
    assert paper.origin is Origin.ARXIV
    assert paper.link == "https://arxiv.org/abs/2604.00001"
    assert paper.categories == ("cs.LG", "stat.ML")
    assert paper.raw_title == "Routes of $\\mathcal{O}(n)$"
    assert sighting.signals.announce_type is AnnounceType.NEW
    assert sighting.day == date(2026, 4, 2)


def test_the_prefix_is_not_part_of_the_abstract():
    paper = only(rss(item())).paper
    assert paper.raw_abstract == ABSTRACT
    assert paper.abstract.startswith("We route around ")


def test_one_creator_is_all_the_authors():
    creator = 'Ada Lovelace (Univ. of A, Dept. B), Emmy Noether,  Kurt G\\"odel'
    authors = only(rss(item(creator=creator))).paper.authors
    assert authors == ("Ada Lovelace", "Emmy Noether", "Kurt Gödel"), "and the managing editor is none of them"


def test_texts_that_look_like_tags_are_text():
    paper = only(
        rss(item(title="Stop at <think> if a<b and c>d", abstract="Until <EOS>, for p<q; keep &amp; as is."))
    ).paper
    assert paper.title == "Stop at <think> if a<b and c>d"
    assert paper.abstract == "Until <EOS>, for p<q; keep &amp; as is."


def test_the_announcement_day_is_the_day_in_new_york():
    late = item(date_line="<pubDate>Fri, 03 Apr 2026 03:30:00 +0000</pubDate>")
    assert only(rss(late)).day == date(2026, 4, 2)
    winter = item(date_line="<pubDate>Thu, 15 Jan 2026 00:00:00 -0500</pubDate>")
    assert only(rss(winter)).day == date(2026, 1, 15)


@pytest.mark.parametrize("date_line", ["", "<pubDate>soon</pubDate>", "<pubDate>0001-01-01T00:00:00Z</pubDate>"])
def test_without_a_date_the_day_is_today_in_new_york(date_line):
    sighting = parse_arxiv_feed(
        rss(item(date_line=date_line)), source="arxiv", wanted=DEFAULT, now=datetime(2026, 4, 2, 1, 0, tzinfo=UTC)
    ).sightings[0]
    assert sighting.day == date(2026, 4, 1)
    assert sighting.paper.published_at is None


def test_only_a_new_paper_came_out_when_it_was_announced():
    assert only(rss(item())).paper.published_at == datetime(2026, 4, 2, 4, 0, tzinfo=UTC)
    assert only(rss(item(announced="cross"))).paper.published_at is None


def test_an_atom_feed_says_the_same():
    entry = (
        "<entry><id>oai:arXiv.org:2604.00001v1</id><title>Routes</title><updated>2026-04-09T04:00:11+00:00</updated>"
        '<link href="https://arxiv.org/abs/2604.00001" rel="alternate" type="text/html"/>'
        f"<summary>arXiv:2604.00001v1 Announce Type: cross \nAbstract: {escape(ABSTRACT)}</summary>"
        '<category term="hep-ph"/><category term="cs.LG"/><published>2026-04-02T00:00:00-04:00</published>'
        "<arxiv:announce_type>cross</arxiv:announce_type><arxiv:journal_reference>J. 1</arxiv:journal_reference>"
        "<arxiv:DOI>10.1103/X.1</arxiv:DOI><dc:creator>Ada Lovelace, Emmy Noether</dc:creator></entry>"
    )
    sighting = only(atom(entry))
    assert sighting.paper.id == "arxiv:2604.00001"
    assert sighting.paper.raw_abstract == ABSTRACT
    assert sighting.paper.authors == ("Ada Lovelace", "Emmy Noether")
    assert sighting.paper.categories == ("hep-ph", "cs.LG")
    assert sighting.paper.aliases == ("doi:10.1103/x.1",)
    assert sighting.signals.announce_type is AnnounceType.CROSS
    assert sighting.day == date(2026, 4, 2), (
        "updated is when the feed was built, published when the paper was announced"
    )


def test_what_is_no_arxiv_category_is_dropped():
    categories = ("cs.LG", "68T05 (Primary), 62M10", "I.2.6;\n I.5", "math-ph", "machine-learning")
    assert only(rss(item(categories=categories))).paper.categories == ("cs.LG", "math-ph")


def test_a_withdrawn_paper_says_so():
    withdrawn = item(abstract="This paper has been withdrawn by the author due to an error in section 2.")
    assert only(rss(withdrawn)).paper.withdrawn
    assert not only(rss(item())).paper.withdrawn


# -- which items ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cross", "replacements", "kept"),
    [
        (True, False, {"new", "cross"}),
        (False, False, {"new"}),
        (False, True, {"new", "replace"}),
        (True, True, {"new", "cross", "replace", "replace-cross"}),
    ],
)
def test_it_keeps_the_announce_types_asked_for_and_says_what_it_left_out(cross, replacements, kept):
    types = ["new", "cross", "replace", "replace-cross"]
    body = rss(*(item(number, announced=announced) for number, announced in enumerate(types, 1)))
    parsed = parse(body, wanted_types(include_cross=cross, include_replacements=replacements))
    assert {sighting.signals.announce_type for sighting in parsed.sightings} == kept
    assert {skip.reason for skip in parsed.skipped} == {
        f"announce type {announced} is left out" for announced in types if announced not in kept
    }
    assert parsed.entries == 4


def test_the_announce_type_is_found_in_the_text_too():
    silent = item(announced="replace").replace("<arxiv:announce_type>replace</arxiv:announce_type>", "")
    assert parse(rss(silent)).skipped[0].reason == "announce type replace is left out"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (item(announced="retracted"), "unknown announce type"),
        (item(title=" "), "no title"),
        ("<item><title>No id at all</title><description>none</description></item>", "no arXiv id"),
        ("<item/>", "no arXiv id"),
        ("<item><title>x</title><link>https://arxiv.org/abs/2604.1</link></item>", "no arXiv id"),
    ],
)
def test_one_bad_item_is_skipped_with_its_reason_and_the_rest_is_kept(broken, reason):
    parsed = parse(rss(item(1), broken, item(2)))
    assert len(parsed.sightings) == 2
    assert [skip.reason for skip in parsed.skipped] == [reason]


def test_the_id_is_found_in_the_text_when_link_and_guid_are_missing():
    text = "arXiv:2604.00007v2 Announce Type: new \nAbstract: A."
    bare = f"<item><title>Routes</title><description>{text}</description></item>"
    assert only(rss(bare)).paper.id == "arxiv:2604.00007"


def test_a_paper_listed_twice_is_one_sighting():
    parsed = parse(rss(item(1), item(1, announced="cross")))
    assert len(parsed.sightings) == 1
    assert parsed.skipped[0].reason == "listed more than once"


def test_a_weekend_is_a_valid_feed_without_items():
    parsed = parse(rss())
    assert (parsed.entries, parsed.partial) == (0, None)


# -- old captures -----------------------------------------------------------------------------------------------------


def old_rdf(title: str, creator: str, description: str) -> bytes:
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        f'{NAMESPACES}><channel rdf:about="http://arxiv.org/"><title>cs updates on arXiv.org</title></channel>'
        f'<item rdf:about="http://arxiv.org/abs/0901.01234"><title>{title}</title>'
        f"<link>http://arxiv.org/abs/0901.01234</link><description>{description}</description>"
        f"<dc:creator>{creator}</dc:creator></item></rdf:RDF>"
    ).encode()


OLD_TITLE = "Routes through $n$ &lt;think&gt; models. (arXiv:0901.01234v2 [cs.LG])"
OLD_CREATOR = (
    '&lt;a href="http://arxiv.org/find/cs/1/au:+L_A/0/1/0/all/0/1"&gt;Ada Lovelace&lt;/a&gt;, '
    '&lt;a href="http://arxiv.org/find/cs/1/au:+N_E/0/1/0/all/0/1"&gt;Emmy Noether&lt;/a&gt;'
)


def test_the_title_of_an_old_feed_loses_its_suffix_and_its_html():
    paper = only(old_rdf(OLD_TITLE, OLD_CREATOR, "&amp;lt;p&amp;gt;We &amp;amp;amp; they.&amp;lt;/p&amp;gt;")).paper
    assert paper.id == "arxiv:0901.01234"
    assert paper.title.startswith("Routes through ")
    assert paper.title.endswith("<think> models")
    assert paper.abstract == "We & they."
    assert paper.authors == ("Ada Lovelace", "Emmy Noether")
    assert paper.categories == ("cs.LG",)


def test_the_suffix_of_an_old_title_is_its_announce_type():
    updated = OLD_TITLE.replace("])", "] UPDATED)")
    assert parse(old_rdf(updated, OLD_CREATOR, "x")).skipped[0].reason == "announce type replace is left out"
    crossed = OLD_TITLE.replace("])", "] CROSS LISTED)")
    assert only(old_rdf(crossed, OLD_CREATOR, "x")).signals.announce_type is AnnounceType.CROSS


# -- answers that are not what they should be -------------------------------------------------------------------------


def test_an_error_feed_is_a_refusal_in_arxivs_words():
    body = rss(title="Feed error for query: cs.NOPE").replace(b">updates<", b">Invalid archive or subject class<")
    with pytest.raises(SourceRefusedError, match=r"Feed error for query: cs.NOPE \(Invalid archive"):
        parse(body)


def test_a_cut_feed_gives_its_whole_items_and_says_that_it_is_cut():
    body = rss(item(1), item(2), item(3))
    for end in range(body.index(b"00001v1</guid>"), body.index(b"</channel>") - 1, 23):
        cut = body[:end]
        whole = cut.count(b"</item>")
        if whole == 0:
            with pytest.raises(SourceUnreadableError):
                parse(cut)
            continue
        parsed = parse(cut)
        assert len(parsed.sightings) == whole
        assert all(sighting.paper.raw_abstract == ABSTRACT for sighting in parsed.sightings)
        assert [skip.reason for skip in parsed.skipped] == ["cut off"] * (parsed.entries - whole)
        assert parsed.partial == "the feed is cut off"


def test_the_cut_item_is_counted():
    body = rss(item(1), item(2))
    parsed = parse(body[: body.rindex(b"Abstract") + 20])
    assert parsed.entries == 2
    assert [skip.reason for skip in parsed.skipped] == ["cut off"]


def test_a_feed_that_is_not_well_formed_is_partial():
    body = rss(item(1), item(2)).replace(b"<dc:rights>", b"<dc:rights>&nosuchthing; <br>", 1)
    parsed = parse(body)
    assert len(parsed.sightings) == 2
    assert parsed.partial is not None
    assert parsed.partial.startswith("the feed is not well-formed: ")


def test_an_encoding_that_was_only_declared_wrong_makes_nothing_partial():
    parsed = parse(rss(item()).replace(b"'UTF-8'", b"'bogus'"))
    assert (len(parsed.sightings), parsed.partial) == (1, None)


def test_a_full_feed_may_have_lost_new_papers(monkeypatch):
    assert arxiv_feed_items.ROW_LIMIT == 2_000
    monkeypatch.setattr(arxiv_feed_items, "ROW_LIMIT", 3)
    assert parse(rss(item(1), item(2))).partial is None
    assert parse(rss(item(1), item(2), item(3, announced="replace"))).partial == (
        "arXiv cuts a feed at 3 rows, new papers first: ask for fewer categories"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n ",
        b"Rate exceeded.",
        b"\x00\xff<html><p>maintenance",
        b"<html><body><p>maintenance</p></body></html>",
        b"<!DOCTYPE html><html></html>",
        b'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "b">]><rss version="2.0"><channel/></rss>',
        b"{}",
        b"<rss",
    ],
)
def test_what_is_no_feed_is_unreadable(body):
    with pytest.raises(SourceUnreadableError):
        parse(body)


def test_bytes_that_name_a_file_do_not_make_it_read_that_file(tmp_path):
    secret = tmp_path / "secret.xml"
    secret.write_bytes(rss(item()))
    with pytest.raises(SourceUnreadableError):
        parse(str(secret).encode())


@settings(deadline=None)
@given(st.data())
def test_whatever_is_done_to_its_bytes_nothing_but_a_source_error_comes_out(data):
    body = bytearray(rss(item(1), item(2)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=12))
    try:
        parsed = parse(bytes(body))
    except SourceError:
        return
    assert all(sighting.paper.id.startswith("arxiv:") for sighting in parsed.sightings)


# -- reading ----------------------------------------------------------------------------------------------------------


def read(outcome: bytes | Exception | None, **options: object) -> tuple[Reading, ScriptedFetcher]:
    fetcher = ScriptedFetcher(in_order(outcome))
    arxiv = ArxivFeed(name="arxiv", fetcher=fetcher, categories=("cs.LG", "stat.ML"), **options)
    return arxiv.read(NOW, None), fetcher


def test_all_categories_are_one_request_and_three_seconds_apart_from_the_next():
    reading, fetcher = read(rss(item()))
    (request,) = fetcher.requests
    assert request.url == "https://rss.arxiv.org/rss/cs.LG+stat.ML"
    assert request.min_interval == 3.0
    assert request.conditional
    assert reading.categories == ("cs.LG", "stat.ML")
    assert (reading.source, reading.entries, len(reading.sightings)) == ("arxiv", 1, 1)
    assert set(reading.validators) == {request.url}


def test_it_can_read_the_atom_flavour_from_elsewhere():
    _, fetcher = read(atom(), flavour="atom", base_url="http://127.0.0.1:8900/")
    assert fetcher.requests[0].url == "http://127.0.0.1:8900/atom/cs.LG+stat.ML"


def test_not_modified_is_an_unchanged_reading_of_the_same_categories():
    reading, _ = read(None)
    assert reading.unchanged
    assert reading.categories == ("cs.LG", "stat.ML")


def test_a_cut_feed_leaves_no_validators_so_that_it_is_read_again():
    body = rss(item(1), item(2))
    reading, _ = read(body[:-100])
    assert reading.partial
    assert reading.validators == {}


def test_what_the_network_says_is_passed_on():
    with pytest.raises(SourceUnavailableError, match="nobody answers"):
        read(SourceUnavailableError("nobody answers"))
