"""The page of a paper: the way back, related papers and the sign-up form."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from websites import THURSDAY, ask, create_app, leave_out, open_app, publish, work

from digestmail.model.papers import Sighting, Signals
from digestmail.storage import editions, papers


def filled(database):
    for day in range(3):
        publish(database, day)
    with database.connect() as connection:
        edition = editions.get(connection, "daily", "2026-04-02").edition
    leave_out(database, edition, 3)


@pytest.fixture
def app(filled_url):
    with open_app(filled_url(filled)) as opened:
        yield opened


@pytest.fixture
def site(app):
    return create_app(app)


def test_a_paper_leads_back_to_its_edition_or_to_all_papers(site):
    back = re.compile(r'<p class="back"><a href="([^"]+)">.*?<bdi>([^<]+)</bdi>')
    assert back.search(ask(site, "/papers/arxiv:2601.00001").text).groups() == (
        "/daily/2026-04-02",
        "Trending papers, Thursday, 2 April 2026",
    )
    assert back.search(ask(site, "/papers/arxiv:2612.00001").text).groups() == ("/papers", "All papers")


def test_an_edition_of_a_digest_that_has_another_name_now_is_named_and_not_linked(app):
    app.digests = tuple(replace(one, name="renamed") for one in app.digests[:1])
    site = create_app(app)
    text = ask(site, "/papers/arxiv:2601.00001").text
    assert "<bdi>daily</bdi>, <bdi>Thursday, 2 April 2026</bdi>" in text
    links = {link for link in re.findall(r'href="(/[^"#?]*)', text) if "2026-04-02" in link}
    assert [link for link in links if ask(site, link).status != 200] == []


def test_a_paper_names_its_related_papers_and_not_itself(site):
    text = ask(site, "/papers/arxiv:2601.00002").text
    related = re.search(r"Related papers</h2>(.*?)</ol>", text, re.DOTALL)[1]
    found = re.findall(r'href="/papers/([^"]+)"', related)
    assert set(found[:2]) == {"arxiv:2602.00002", "arxiv:2603.00002"}
    assert "arxiv:2601.00002" not in found


def test_a_paper_with_nothing_alike_shows_no_list(app, site):
    odd = replace(work(0, 8), title="Zymurgie", abstract="Braukunst, Hefen, Gärbottiche.", summary=None)
    with app.database.begin() as connection:
        seen = [Sighting(source="hf", paper=odd, day=THURSDAY.date(), signals=Signals())]
        papers.add_sightings(connection, seen, THURSDAY)
    assert "Related papers" not in ask(site, f"/papers/{odd.id}").text


def test_a_paper_offers_to_subscribe(site):
    assert '<form class="banner" method="post" action="/subscribe">' in ask(site, "/papers/arxiv:2601.00001").text
