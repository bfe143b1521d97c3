"""What a page may weigh, and the colours that emails and pages share."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from websites import THURSDAY, ask, create_app, open_app, publish, work

from digestmail.mail.template_files import templates_directory
from digestmail.model.digests import Limits
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import PaperId, Sighting, Signals
from digestmail.model.selection import Entry, Score, TopicMatch
from digestmail.model.theme import DARK, LIGHT
from digestmail.storage import editions, papers

PUBLIC = [
    "/",
    "/daily",
    "/daily/2026-04-02",
    "/daily/2026-04-02/papers",
    "/papers",
    "/papers/arxiv:2601.00001",
    "/search",
]
LARGEST = 60_000


@pytest.fixture
def site(sqlite_template, tmp_path):
    import shutil

    shutil.copy(sqlite_template, tmp_path / "web.db")
    with open_app(f"sqlite:///{tmp_path / 'web.db'}") as app:
        for day in range(3):
            publish(app.database, day)
        yield create_app(app)


@pytest.mark.parametrize("path", PUBLIC)
def test_a_page_is_light_with_its_one_style_sheet_and_needs_no_picture(site, path):
    text = ask(site, path).text
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)">', text)
    assert sheets == ["/static/digestmail.css"]
    assert len(text.encode()) + len(ask(site, sheets[0]).body) < LARGEST
    assert "<img" not in text
    assert "@import" not in ask(site, sheets[0]).text
    assert "url(" not in ask(site, sheets[0]).text


def test_the_home_page_is_light_with_the_most_papers_that_an_edition_shows_unless_configured_otherwise(site):
    abstract = "We study how much a page weighs when every abstract is as long as those of arXiv. " * 20
    made = [
        replace(work(number % 7, 0, abstract=abstract, summary=None), id=PaperId(f"arxiv:2611.{number:05d}"))
        for number in range(Limits().max_papers)
    ]
    matches = tuple(TopicMatch(topic=topic, strength=0.8, keywords=("agent", "tool use")) for topic in "ABC")
    entries = tuple(
        Entry(
            paper=replace(paper, title=f"A title that is about as long as titles are, which takes two lines, {rank}"),
            signals=Signals(upvotes=200 - rank, comments=12, stars=345),
            score=Score(total=1.0),
            rank=rank,
            matches=matches[rank % 3 :],
        )
        for rank, paper in enumerate(made, start=1)
    )
    with site.state.digestmail.database.begin() as connection:
        seen = [Sighting(source="hf", paper=paper, day=THURSDAY.date(), signals=Signals()) for paper in made]
        papers.add_sightings(connection, seen, THURSDAY)
        slot = Slot(at=THURSDAY + timedelta(days=1), key="2026-04-03", day=THURSDAY.date() + timedelta(days=1))
        edition = Edition(
            digest="daily",
            slot=slot,
            title="Trending papers",
            byline="",
            composed_at=slot.at,
            entries=entries,
            topics=("A", "B", "C"),
        )
        assert editions.add(connection, edition)
    text = ask(create_app(site.state.digestmail), "/").text
    assert text.count('<p class="rank">') == Limits().max_papers
    assert len(text.encode()) + len(ask(site, "/static/digestmail.css").body) < LARGEST


@pytest.mark.parametrize("path", PUBLIC)
def test_the_list_of_time_zones_is_only_where_one_can_choose(site, path):
    assert "Europe/Berlin" not in ask(site, path).text
    form = ask(site, "/subscribe").text
    assert form.count('<option value="Europe/Berlin">') == 1
    assert '<option value="Europe/Kiev">' not in form
    assert len(form.encode()) < LARGEST


def test_pages_have_the_colours_of_emails():
    sheet = (templates_directory() / "web" / "static" / "digestmail.css").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[:2]
    for block, palette in ((light, LIGHT), (dark, DARK)):
        variables = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        # Lines are on another ground than in emails.
        shared = {name: colour for name, colour in asdict(palette).items() if name != "rule"}
        assert {name: variables[name] for name in shared} == shared
