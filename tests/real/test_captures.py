"""Every captured Hugging Face day, arXiv feed, API page and nasty feed through the real parsers, counted."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, date, datetime

import pytest
from replaying import DATA, needs_shared

from digestmail.errors import SourceRefusedError, SourceUnreadableError
from digestmail.model.papers import AnnounceType, Sighting, Skipped
from digestmail.sources.arxiv_api import parse_api_page
from digestmail.sources.arxiv_feed import wanted_types
from digestmail.sources.arxiv_feed_items import parse_arxiv_feed
from digestmail.sources.feed_items import parse_feed
from digestmail.sources.huggingface_items import parse_daily_papers

pytestmark = needs_shared

NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
LEFT_OUT = "announce type replace is left out"


def reasons(skipped: tuple[Skipped, ...]) -> dict[str, int]:
    return dict(Counter(skip.reason for skip in skipped))


def holds_together(sighting: Sighting) -> bool:
    """Whether a sighting is one a mail could be made of."""
    paper = sighting.paper
    texts = [
        paper.title,
        paper.abstract,
        *paper.authors,
        *paper.keywords,
        paper.summary or "",
        paper.organization or "",
    ]
    addresses = [paper.link, paper.discussion_url, paper.code_url, paper.project_url, paper.thumbnail_url]
    return (
        bool(paper.title)
        and all(text == " ".join(text.split()) and "\x00" not in text for text in texts)
        and all(address.startswith(("https://", "http://")) for address in addresses if address is not None)
    )


# -- Hugging Face -----------------------------------------------------------------------------------------------------


def daily_papers():
    for path in sorted((DATA / "hf_daily").glob("*.json.gz")):
        day = date.fromisoformat(path.name.removesuffix(".json.gz"))
        yield day, parse_daily_papers(gzip.decompress(path.read_bytes()), source="hf", day=day)


def test_every_captured_day_of_hugging_face_is_read_whole():
    days = dict(daily_papers())
    assert len(days) == 243
    assert sum(parsed.entries for parsed in days.values()) == 4262
    assert [parsed.skipped for parsed in days.values() if parsed.skipped] == []
    sightings = [sighting for parsed in days.values() for sighting in parsed.sightings]
    assert len(sightings) == 4262
    assert len({sighting.paper.id for sighting in sightings}) == 4261, "one paper was featured on two days"
    assert all(map(holds_together, sightings))


def test_the_facts_of_the_captured_days_arrive():
    sightings = [(day, sighting) for day, parsed in daily_papers() for sighting in parsed.sightings]
    papers = [sighting.paper for _, sighting in sightings]
    assert all(sighting.day == day for day, sighting in sightings)
    assert all(sighting.signals.upvotes is not None for _, sighting in sightings)
    assert all(sighting.signals.comments is not None for _, sighting in sightings)
    assert sum(sighting.signals.stars is not None for _, sighting in sightings) == 1808
    assert sum(paper.code_url is not None for paper in papers) == 2041
    assert all(paper.code_url.count("/") == 4 for paper in papers if paper.code_url)
    assert sum(paper.project_url is not None for paper in papers) == 1619
    assert sum(paper.thumbnail_url is not None for paper in papers) == 4203
    assert sum(paper.organization is not None for paper in papers) == 1648
    assert sum(paper.summary is not None for paper in papers) == 3914
    assert all(paper.authors for paper in papers)
    assert max(len(paper.authors) for paper in papers) == 546


# -- arXiv ------------------------------------------------------------------------------------------------------------

FEEDS = {
    "distill_arxiv_cs_ai_2026-04-27.rss.xml": (3, 3, {}),
    "distill_arxiv_cs_cl_2026-04-27.rss.xml": (3, 3, {}),
    "distill_arxiv_cs_lg_2026-04-27.rss.xml": (3, 3, {}),
    "laya-reader_cs.LG+cs.AI+cs.CL+stat.ML_2026-09-24.rss.xml": (4, 3, {LEFT_OUT: 1}),
    "paper-forge_cs.LG_2026-09-25.atom.xml": (3, 2, {LEFT_OUT: 1}),
}


def test_no_captured_feed_is_forgotten():
    assert {path.name for path in (DATA / "arxiv_feeds").iterdir()} == set(FEEDS)
    assert {path.name for path in (DATA / "arxiv_api").iterdir()} == set(PAGES) | {REFUSED}
    assert {path.name for path in (DATA / "nasty_feeds").iterdir()} == set(NASTY) | set(UNREADABLE)
    assert {path.name for path in (DATA / "other").iterdir()} == {*OTHER, *NO_FEEDS, "arxiv_titles_74728.tsv.gz"}


@pytest.mark.parametrize("name", FEEDS)
def test_every_captured_feed_of_arxiv_is_read(name):
    body = (DATA / "arxiv_feeds" / name).read_bytes()
    wanted = wanted_types(include_cross=True, include_replacements=False)
    parsed = parse_arxiv_feed(body, source="arxiv", wanted=wanted, now=NOW)
    assert (parsed.entries, len(parsed.sightings), reasons(parsed.skipped)) == FEEDS[name]
    assert parsed.partial is None
    day = date.fromisoformat(name.split("_")[-1][:10])
    for sighting in parsed.sightings:
        assert holds_together(sighting)
        assert sighting.day == day
        assert sighting.paper.authors
        assert sighting.paper.categories
        assert not sighting.paper.raw_abstract.startswith("arXiv:")
        assert sighting.signals.announce_type in {AnnounceType.NEW, AnnounceType.CROSS}


PAGES = {
    "brevio-ai_arxiv_cs_lg_2026-04-30.xml": (20, 364_218),
    "id_0000.0000_s0_m100.200.xml": (0, 0),
    "id_0808.05394_1707.08567_s0_m100.200.xml": (1, 1),
    "id_1605.08386_s0_m100.200.xml": (1, 1),
    "id_astro-ph_0601001_s0_m100.200.xml": (1, 1),
    "q_testing_s0_m10.200.xml": (10, 214_881),
    "q_testing_s0_m100.200.xml": (100, 214_881),
    "q_testing_s10_m10.200.xml": (10, 214_881),
    "q_testing_s20_m10.200.xml": (10, 214_881),
}
REFUSED = "id_abc_s0_m100.400.xml"


@pytest.mark.parametrize("name", PAGES)
def test_every_captured_page_of_the_api_is_read(name):
    page = parse_api_page((DATA / "arxiv_api" / name).read_bytes(), source="api")
    assert (len(page.results), page.total) == PAGES[name]
    for result in page.results:
        assert isinstance(result, Sighting)
        assert holds_together(result)
        assert result.paper.authors
        assert result.paper.categories
        assert result.paper.published_at is not None
        assert result.day >= result.paper.published_at.date()


def test_the_captured_error_is_a_refusal_in_arxivs_words():
    with pytest.raises(SourceRefusedError, match="incorrect id format for abc"):
        parse_api_page((DATA / "arxiv_api" / REFUSED).read_bytes(), source="api")


# -- any feed ---------------------------------------------------------------------------------------------------------

NO_LINK = "no link and no identifier"
NASTY = {
    "feedparser__encoding_bozo_bogus_encoding.xml": (0, 0, {}),
    "feedparser__encoding_bozo_double-encoded-html.xml": (1, 0, {"no title": 1}),
    "feedparser__encoding_encoding_attribute_crash.xml": (1, 0, {"no title": 1}),
    "feedparser__encoding_utf-8-bom.xml": (0, 0, {}),
    "feedparser__illformed_always_strip_doctype.xml": (0, 0, {}),
    "feedparser__illformed_chardet_shiftjis.xml": (1, 0, {NO_LINK: 1}),
    "feedparser__illformed_rdf_channel_empty_textinput.xml": (1, 1, {}),
    "feedparser__wellformed_namespace_unknown-namespace.xml": (1, 0, {"no title": 1}),
    "feedparser__wellformed_sanitize_entry_summary_onload.xml": (1, 0, {"no title": 1}),
    "miniflux__encoding_ISO-8859-1.xml": (40, 40, {}),
    "miniflux__encoding_WINDOWS-1251.xml": (50, 50, {}),
    "miniflux__no_encoding_ISO-8859-1.xml": (10, 9, {"no title": 1}),
    "miniflux__utf8-incorrect-prolog.xml": (1, 0, {NO_LINK: 1}),
    "miniflux__windows-1252-incorrect-prolog.xml": (0, 0, {}),
    "other__brevio_anthropic_news.xml": (205, 205, {}),
}
CUT = {"feedparser__illformed_rdf_channel_empty_textinput.xml"}
UNREADABLE = {
    "feedparser__illformed_aaa_illformed.xml": "not a feed",
    "feedparser__illformed_rss_incomplete_cdata.xml": "not a feed",
    "miniflux__iso88591_utf8_mismatch.xml": "not a feed",
}
OTHER = {
    "brevio_hf_daily_primary.xml": (50, 50, {}),
    "huangboming_feed.xml": (30, 30, {}),
    "miniflux_biorxiv_bioengineering_2019.rdf.xml": (1, 1, {}),
}
NO_FEEDS = ("HoBeom_dialogue-agents.json", "HoBeom_robot-agent.json")


@pytest.mark.parametrize("name", NASTY)
def test_every_nasty_feed_is_read_as_far_as_it_goes(name):
    parsed = parse_feed((DATA / "nasty_feeds" / name).read_bytes(), source="feed", now=NOW)
    assert (parsed.entries, len(parsed.sightings), reasons(parsed.skipped)) == NASTY[name]
    assert (parsed.partial is not None) == (name in CUT)
    assert all(map(holds_together, parsed.sightings))
    assert not [sighting for sighting in parsed.sightings if "<br" in sighting.paper.abstract]


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_beyond_reading_is_called_unreadable(name):
    with pytest.raises(SourceUnreadableError, match=UNREADABLE[name]):
        parse_feed((DATA / "nasty_feeds" / name).read_bytes(), source="feed", now=NOW)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("miniflux__encoding_ISO-8859-1.xml", "Viele Spieler wünschen sich"),
        ("miniflux__encoding_WINDOWS-1251.xml", "<Minoru> «*g++»? Указатели в моём шелле?"),
        ("miniflux__no_encoding_ISO-8859-1.xml", "neuro-développementaux"),
    ],
)
def test_letters_survive_their_encodings_and_nicknames_their_angle_brackets(name, words):
    parsed = parse_feed((DATA / "nasty_feeds" / name).read_bytes(), source="feed", now=NOW)
    assert any(words in sighting.paper.abstract for sighting in parsed.sightings)


@pytest.mark.parametrize("name", OTHER)
def test_other_peoples_lists_of_papers_are_read(name):
    parsed = parse_feed((DATA / "other" / name).read_bytes(), source="feed", now=NOW)
    assert (parsed.entries, len(parsed.sightings), reasons(parsed.skipped)) == OTHER[name]
    assert all(map(holds_together, parsed.sightings))
    kinds = Counter(sighting.paper.id.partition(":")[0] for sighting in parsed.sightings)
    assert set(kinds) == {"doi" if "biorxiv" in name else "arxiv"}


def test_a_journals_authors_are_turned_round():
    (sighting,) = parse_feed(
        (DATA / "other" / "miniflux_biorxiv_bioengineering_2019.rdf.xml").read_bytes(), source="feed", now=NOW
    ).sightings
    assert sighting.paper.id == "doi:10.1101/857789"
    assert sighting.paper.authors == ("D. Kukla", "A. Crampton", "D. Wood", "S. Khetani")
    assert sighting.day == date(2019, 11, 29)


@pytest.mark.parametrize("name", NO_FEEDS)
def test_json_that_is_no_feed_is_called_unreadable(name):
    with pytest.raises(SourceUnreadableError, match="not a JSON Feed"):
        parse_feed((DATA / "other" / name).read_bytes(), source="feed", now=NOW)
