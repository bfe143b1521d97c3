"""Small feeds that broke some program, kept apart in ../shared: each is read as its description asks."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from replaying import SHARED, needs_shared

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Sighting
from digestmail.sources.arxiv_api import parse_api_page
from digestmail.sources.feed_items import parse_feed
from digestmail.sources.http.body import read_body
from digestmail.sources.huggingface_items import parse_daily_papers
from digestmail.text.tex import readable

pytestmark = needs_shared

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
URL = "https://found.example.org/new/feed"


def find(name: str, file: str) -> Path:
    """Return the file of a description whose folder is called `name`, after its number."""
    (path,) = (SHARED / "cases").glob(f"*[0-9a-z]-{name}/{file}")
    return path


def sightings(name: str, file: str = "feed.xml") -> tuple[Sighting, ...]:
    parsed = parse_feed(find(name, file).read_bytes(), source="f", now=NOW, url=URL)
    assert parsed.skipped == ()
    assert parsed.partial is None
    return parsed.sightings


def titles(name: str, file: str = "feed.xml") -> list[str]:
    return [sighting.paper.title for sighting in sightings(name, file)]


def test_the_content_of_atom_is_read_as_what_it_is():
    found = {sighting.paper.title: sighting.paper.abstract for sighting in sightings("atom-content-only")}
    assert found == {
        "Entry html": "What is new Faster kernels & fixes. One",
        "Entry xhtml": "One & two.",
        "Entry text": "plain a < b text",
        "Entry none": "plain without type",
        "Entry summaryhtml": "Sum",
    }
    same = {sighting.paper.abstract for sighting in sightings("atom-content-html", "atom_content_html.xml")}
    assert same == {"We train a small model & release it."}


def test_guids_schemes_and_fragments_make_and_lose_no_paper():
    assert titles("same-link") == [f"Release {number}" for number in range(1, 5)]
    assert titles("fragments") == [f"Entry {number}" for number in range(1, 5)]
    before, after = (sightings("http-to-https", file) for file in ("before.xml", "after.xml"))
    assert [s.paper.id for s in before] == [s.paper.id for s in after]
    assert [s.paper.aliases for s in before] == [s.paper.aliases for s in after]
    assert titles("same-link-next-day", "day2.xml") == ["Release 2.0 with a security fix", "Release 1.0"]


def test_links_belong_to_xml_base_and_to_the_address_that_answered():
    assert [sighting.paper.link for sighting in sightings("xml-base")] == [
        "https://www.example.org/ongoing/When/201x/2026/11/28/Texas-Politics",
        "https://www.example.org/ongoing/Second",
    ]
    (moved,) = sightings("redirected-relative")
    assert moved.paper.link == "https://found.example.org/posts/1"


def test_the_words_of_an_entry_are_its_own():
    found = sightings("media-title")
    assert [sighting.paper.title for sighting in found] == [f"Own title {letter}" for letter in "ABCDE"]
    assert found[-1].paper.abstract == "own description E"
    assert titles("doctype") == ["Doctype feed"]


ODDITIES = {
    "bomcharset": ["Bom und Umlaut äöü"],
    "cp1252": ["Smart ’quotes’ – dash"],
    "ctrl": ["Control char", "Second & fine"],
    "emptylink": ["Only guid", "Only enclosure"],
    "jsonhtml": ["Js & on x", "No title, a note"],
    "leadingws": ["Leading white space"],
    "notitle": ["Just a note without a title about agents"],
    "related": ["Link blog", "An xhtml title", "Enclosure first"],
    "utf16": ["Utf sixteen ü"],
}


@pytest.mark.parametrize("file", ODDITIES)
def test_oddities_of_many_feeds_are_read(file):
    assert titles("many-feeds", f"{file}.xml") == ODDITIES[file]


def test_what_stands_behind_a_tracking_link_or_is_written_about_is_the_paper():
    (counted,) = sightings("many-feeds", "origlink.xml")
    assert counted.paper.link == "http://real.example/1"
    first, *_ = sightings("many-feeds", "related.xml")
    assert first.paper.id == "arxiv:2604.77777"


@pytest.mark.parametrize(
    ("file", "words"), [("cloudflare.xml", "challenge page of Cloudflare"), ("cloudflare403.xml", "a web page")]
)
def test_pages_instead_of_feeds_are_called_what_they_are(file, words):
    with pytest.raises(SourceUnreadableError, match=words):
        sightings("many-feeds", file)


def test_packed_files_are_read_and_so_are_plain_ones_that_are_announced_as_packed():
    packed = find("gz-without-header", "feed.xml.gz").read_bytes()
    plain = find("gzip-header-plain-body", "plain.xml").read_bytes()
    bodies = [
        read_body([packed], coding="", limit=10**6),
        read_body([packed], coding="gzip", limit=10**6),
        read_body([plain], coding="gzip", limit=10**6),
    ]
    found = [parse_feed(body, source="f", now=NOW, url=URL).sightings[0].paper.title for body in bodies]
    assert found == ["Packed", "Packed", "Paper number 1"]


def test_every_odd_item_of_hugging_face_is_kept():
    body = find("hf-odd-items", "daily_papers.json").read_bytes()
    parsed = parse_daily_papers(body, source="hf", day=date(2026, 11, 28))
    assert len(parsed.sightings) == 10
    assert parsed.skipped == ()


def test_titles_that_programs_take_for_nothing_are_titles():
    page = parse_api_page(find("arxiv-title-0", "answer.xml").read_bytes(), source="arxiv")
    papers = [result.paper for result in page.results if isinstance(result, Sighting)]
    assert len(papers) == page.total == 9
    assert {"0", "False", "None"} <= {paper.title for paper in papers}
    assert "0" in {paper.abstract for paper in papers}


def test_the_tex_that_was_left_in_abstracts_is_read():
    pairs = json.loads(find("tex", "tex.json").read_text("utf-8"))
    assert {pair["raw"]: readable(pair["raw"]) for pair in pairs} == {pair["raw"]: pair["expected"] for pair in pairs}
