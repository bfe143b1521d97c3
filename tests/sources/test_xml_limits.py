"""What a feed may cost: each limit with a small document, and what is left of the document then."""

from __future__ import annotations

import pytest
from fakes import THURSDAY
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import SourceUnreadableError
from digestmail.sources import xml_limits
from digestmail.sources.feed_items import parse_feed
from digestmail.sources.strict import parse_strictly
from digestmail.sources.xml_limits import XmlLimits, within_limits

SMALL = XmlLimits(
    entries=3, text=100, entry=1000, entry_tags=30, depth=8, attributes=5, tag=600, characters=2500, tags=80
)

ATTRIBUTES = " ".join(f'a{number}="1"' for number in range(50))
IN_SINGLE_QUOTES = " ".join(f"a{number} = '1'" for number in range(50))


def item(number: int, inside: str = "") -> str:
    return f"<item><title>Paper {number}</title><link>https://lab.example/{number}</link>{inside}</item>"


def feed(*items: str) -> str:
    return f'<rss version="2.0"><channel><title>A lab</title>{"".join(items)}</channel></rss>'


def titles(document: str) -> list[str]:
    parsed = parse_feed(document.encode(), source="lab", now=THURSDAY, url="https://lab.example/feed")
    return [sighting.paper.title for sighting in parsed.sightings]


def test_a_feed_within_its_limits_is_not_changed():
    document = feed(item(1), item(2, "<description>&lt;p&gt;Text&lt;/p&gt;</description>"), item(3))
    kept, skipped = within_limits(document, SMALL)
    assert kept is document
    assert skipped == ()


EXPENSIVE = {
    "nested deeply": ("<description>" + "<a>" * 9 + "</a>" * 9 + "</description>", "nested more than 8 deep"),
    "nested without an end": ("<description>" + "<a>" * 9 + "</description>", "nested more than 8 deep"),
    "many attributes": (f"<b {ATTRIBUTES}/>", "more than 5 attributes"),
    "attributes in single quotes": (
        f"<b {IN_SINGLE_QUOTES}/>",
        "more than 5 attributes",
    ),
    "attributes behind a bracket in quotes": (f'<b z=">" {ATTRIBUTES}/>', "more than 5 attributes"),
    "attributes of an element that is not ASCII": (f"<\u00e9 {ATTRIBUTES}/>", "more than 5 attributes"),
    "elements that are not ASCII": ("<\u00e9>" * 9 + "</\u00e9>" * 9, "nested more than 8 deep"),
    "elements with an empty prefix": ("<:a>" * 9 + "</:a>" * 9, "nested more than 8 deep"),
    "attributes without values": (f"<b {'a ' * 120}/>", "more than 5 attributes"),
    "attributes without quotes": (f"<b {'a=1 ' * 120}/>", "more than 5 attributes"),
    "a long attribute": (f'<b c="{"x" * 600}"/>', "600 characters"),
    "many tags": ("<category>a</category>" * 20, "more than 30 tags"),
    "many authors": ("<author>Ann Example</author>" * 20, "more than 30 tags"),
    "many empty tags": ("<br/>" * 40, "more than 30 tags"),
    "many comments": ("<!---->" * 40, "more than 30 tags"),
    "many texts": (f"<p>{'w ' * 45}</p>" * 12, "more than 1,000 characters"),
}


@pytest.mark.parametrize(("inside", "says"), EXPENSIVE.values(), ids=EXPENSIVE)
def test_an_expensive_entry_is_skipped_and_the_others_are_read(inside, says):
    kept, (skipped,) = within_limits(feed(item(1), item(2, inside), item(3)), SMALL)
    assert titles(kept) == ["Paper 1", "Paper 3"]
    assert skipped.entry == "entry 2"
    assert says in skipped.reason


def test_attributes_of_the_entry_itself_count():
    document = feed(item(1).replace("<item>", f"<item {ATTRIBUTES}>"), item(2))
    assert titles(within_limits(document, SMALL)[0]) == ["Paper 2"]


def test_entries_behind_the_most_are_skipped_and_counted():
    kept, (skipped,) = within_limits(feed(*map(item, range(1, 8))), SMALL)
    assert titles(kept) == ["Paper 1", "Paper 2", "Paper 3"]
    assert kept.endswith("</channel></rss>")
    assert skipped.entry == "entry 4 and all after it, about 4"
    assert skipped.reason == "the feed has more than 3 entries"


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (XmlLimits(tags=30), "the feed has more than 30 tags"),
        (XmlLimits(characters=400), "the feed has more than 400 characters"),
    ],
)
def test_what_exceeds_the_limits_of_the_document_is_left_out_by_entries(limits, says):
    kept, (skipped,) = within_limits(feed(*map(item, range(1, 20))), limits)
    assert titles(kept) == [f"Paper {number}" for number in range(1, len(titles(kept)) + 1)]
    assert 2 < len(titles(kept)) < 10
    assert skipped.reason == says


@pytest.mark.parametrize(
    ("between", "says"),
    [
        ("<a>" * 9, "nested more than 8 deep"),
        ("<a/>" * 90, "more than 80 tags"),
        ("<!---->" * 90, "more than 80 tags"),
        (f"<a {ATTRIBUTES}/>", "more than 5 attributes"),
        ("".join(f"<a>{'x' * 90}</a>" for _ in range(30)), "more than 2,500 characters"),
    ],
)
def test_what_is_expensive_outside_of_entries_is_refused(between, says):
    with pytest.raises(SourceUnreadableError, match=says):
        within_limits(feed(between, item(1)), SMALL)


@pytest.mark.parametrize(("start", "end"), [("", ""), ("<![CDATA[", "]]>")])
def test_a_long_text_is_cut_where_nothing_uses_it(start, end):
    document = feed(item(1, f"<description>{start}{'word ' * 100}{end}</description>"), item(2))
    kept, skipped = within_limits(document, SMALL)
    assert skipped == ()
    assert "word " * 20 in kept
    assert "word " * 21 not in kept
    assert titles(kept) == ["Paper 1", "Paper 2"]


def test_no_reference_is_cut_in_the_middle():
    kept, _ = within_limits(feed(item(1, f"<description>{'x' * 98}&lt;b&gt;</description>")), SMALL)
    assert f"{'x' * 98}</description>" in kept


@pytest.mark.parametrize(
    "rest", ["<item " + 'a="1" ' * 1000, "<!--" * 1000, "<![CDATA[" + "<a>" * 1000, "<?" + "x" * 6000]
)
def test_markup_without_an_end_is_not_left_to_the_parser(rest):
    kept, _ = within_limits(f"<rss><channel>{item(1)}{rest}", SMALL)
    assert len(kept) < 1200


def test_an_expensive_entry_without_an_end_takes_the_rest_along():
    kept, (skipped,) = within_limits(f"<rss><channel>{item(1)}<item>{'<a>' * 500}", SMALL)
    assert kept == f"<rss><channel>{item(1)}"
    assert skipped.entry == "entry 2"


def test_entries_may_have_any_prefix_and_atom_and_rdf_names():
    for name in ("entry", "rss:item", "atom:entry", "ITEM"):
        document = feed(*map(item, range(1, 6))).replace("<item>", f"<{name}>").replace("</item>", f"</{name}>")
        kept, _ = within_limits(document, SMALL)
        assert kept.count(f"<{name}>") == SMALL.entries, name


PIECES = st.sampled_from(
    ["<item>", "</item>", "<entry>", "</entry>", "<a>", "</a>", "<a ", 'b="1" ', ">", "/>", "<!--", "-->", "<![CDATA[",
     "]]>", "<?x ", "?>", "text ", "&lt;", "<", "x" * 120, "<rss><channel>", "</channel></rss>"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=120))
def test_whatever_a_document_is_only_parts_of_it_are_left(pieces):
    document = "".join(pieces)
    try:
        kept, _ = within_limits(document, SMALL)
    except SourceUnreadableError:
        return
    assert len(kept) <= len(document)
    characters = iter(document)
    assert all(character in characters for character in kept)


def test_both_parsers_of_feeds_obey_the_limits(monkeypatch):
    monkeypatch.setattr(xml_limits, "LIMITS", SMALL)
    document = feed(*map(item, range(1, 8)))
    parsed = parse_feed(document.encode(), source="lab", now=THURSDAY, url="https://lab.example/feed")
    assert len(parsed.sightings) == SMALL.entries
    assert [skip.reason for skip in parsed.skipped] == ["the feed has more than 3 entries"]
    assert parsed.partial is None
    strict = parse_strictly(document.encode())
    assert strict is not None
    assert (len(strict.entries), len(strict.skipped)) == (SMALL.entries, 1)
