"""Every text and list has a bound, whichever source it comes from."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date

import pytest
from fakes import THURSDAY, paper
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import AnnounceType, Paper
from digestmail.papers.identity import canonical_link
from digestmail.sources import bounds, parsed
from digestmail.sources.arxiv_api import parse_api_page
from digestmail.sources.arxiv_feed_items import parse_arxiv_feed
from digestmail.sources.bounds import bounded, check_json, shortened
from digestmail.sources.feed_items import parse_feed
from digestmail.sources.huggingface_items import parse_daily_papers
from digestmail.sources.parsed import gather, web_address

LONG = "word " * 30_000
NAMES = [f"Ann Example {'n' * 300}"] * 7_000


def size(value: object) -> int:
    """Return the characters of a text, or of all texts in a list."""
    if isinstance(value, str):
        return len(value)
    return sum(map(size, value)) if isinstance(value, tuple) else 0


def check(one: Paper) -> None:
    for field in fields(one):
        assert size(getattr(one, field.name)) <= 150_000, field.name
    assert len(one.title) <= 1_000
    assert len(one.abstract) <= 20_000
    assert len(one.authors) <= 6_000
    assert max(map(len, one.authors), default=0) <= 200


def test_every_field_of_a_paper_is_bounded():
    huge = paper(
        1,
        title=LONG,
        abstract=LONG * 10,
        raw_title=LONG * 10,
        raw_abstract=LONG * 10,
        authors=tuple(NAMES),
        categories=("cs.LG",) * 1000,
        keywords=(LONG,) * 1000,
        summary=LONG,
        organization=LONG,
        comment=LONG,
        discussion_url=f"https://a.example/{'x' * 5000}",
        code_url=f"https://a.example/{'x' * 5000}",
    )
    one = bounded(huge)
    check(one)
    assert (len(one.categories), len(one.keywords)) == (100, 50)
    assert (one.discussion_url, one.code_url) == (None, None)


def test_a_paper_within_its_bounds_is_not_changed():
    one = paper(1, authors=tuple(f"Author {number}" for number in range(5_154)), comment="12 pages")
    assert bounded(one) == one


def feed_of(title: str, text: str) -> bytes:
    return (
        f"<rss><channel><title>x</title><item><title>{title}</title><guid>oai:arXiv.org:2604.00157v1</guid>"
        f"<link>https://arxiv.org/abs/2604.00157</link><description>{text}</description></item></channel></rss>"
    ).encode()


def api_page_of(title: str, text: str) -> bytes:
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        "<opensearch:totalResults>1</opensearch:totalResults><entry><id>http://arxiv.org/abs/2604.00157v1</id>"
        f"<published>2026-04-01T12:00:00Z</published><title>{title}</title><summary>{text}</summary></entry></feed>"
    ).encode()


def test_every_source_bounds_what_it_reads():
    item = {"id": "2604.00157", "title": LONG, "summary": LONG * 2, "authors": [{"name": name} for name in NAMES]}
    note = {"id": "1", "url": "https://a.example/1", "title": LONG, "content_text": LONG, "authors": item["authors"]}
    notes = {"version": "https://jsonfeed.org/version/1.1", "items": [note]}
    json_feed, daily = json.dumps(notes).encode(), json.dumps([{"paper": item}]).encode()
    wanted = {AnnounceType.NEW}
    results = {
        "feed": parse_feed(feed_of(LONG, LONG), source="s", now=THURSDAY),
        "json": parse_feed(json_feed, source="s", now=THURSDAY, content_type="application/feed+json"),
        "huggingface": parse_daily_papers(daily, source="s", day=date(2026, 4, 2)),
        "arxiv-feed": parse_arxiv_feed(feed_of(LONG, LONG), source="s", wanted=wanted, now=THURSDAY),
        "arxiv-api": gather(parse_api_page(api_page_of(LONG, LONG), source="s").results),
    }
    for name, result in results.items():
        assert len(result.sightings) == 1, name
        check(result.sightings[0].paper)


def test_a_text_without_spaces_is_not_cut_to_its_first_word():
    assert shortened("要旨 " + "語" * 100, 50) == "要旨 " + "語" * 45 + " …"


@given(st.text(max_size=60), st.integers(min_value=3, max_value=40))
def test_a_shortened_text_fits(text, most):
    short = shortened(text, most)
    assert len(short) <= most
    assert short == text or short.endswith("…")


@pytest.mark.parametrize(
    "document", ['[{"a": 1}, {}, {}, {}]', "[[[[[[", "[ [\n[ [ [", '{"a": [1], "b": [true], "c": [{}]}']
)
def test_json_of_too_many_objects_is_refused(monkeypatch, document):
    monkeypatch.setattr(bounds, "_JSON_OBJECTS", 3)
    with pytest.raises(SourceUnreadableError, match="too expensive: more than 3 JSON objects"):
        check_json(document)


def test_json_of_too_many_values_is_refused(monkeypatch):
    monkeypatch.setattr(bounds, "_JSON_VALUES", 3)
    with pytest.raises(SourceUnreadableError, match="too expensive: more than 3 JSON values"):
        check_json("[1, 2, 3, 4, 5]")


def test_brackets_in_a_text_are_not_objects(monkeypatch):
    monkeypatch.setattr(bounds, "_JSON_OBJECTS", 3)
    check_json(json.dumps(["$x_{a}^{b}$ {x} \\frac{n}{m} (see [a, b])" * 10]))


@pytest.mark.parametrize(
    ("name", "limit", "reason"),
    [
        ("MOST_ENTRIES", 2, "the feed has more than 2 entries"),
        ("MOST_CHARACTERS", 80, "the feed has more than 80 characters"),
    ],
)
def test_entries_of_json_behind_the_most_are_skipped_and_counted(monkeypatch, name, limit, reason):
    monkeypatch.setattr(parsed, name, limit)
    items = [{"id": f"{n}", "url": f"https://a.example/{n}", "title": f"Paper number {n}"} for n in range(5)]
    notes = {"version": "https://jsonfeed.org/version/1.1", "items": items}
    result = parse_feed(json.dumps(notes).encode(), source="s", now=THURSDAY, content_type="application/json")
    assert len(result.sightings) == 2
    assert [(skip.entry, skip.reason) for skip in result.skipped] == [("the last 3 entries", reason)]


def test_no_address_is_longer_than_the_database_can_index():
    assert web_address(f"https://a.example/{'x' * 2_000}") is None
    assert canonical_link("https://a.example/" + "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 1_000) is None
