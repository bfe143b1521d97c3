"""All papers are within reach: those that were collected, and those that qualified for an edition."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from websites import THURSDAY, ask, create_app, leave_out, open_app, publish

from digestmail.mail.render import Renderer
from digestmail.model.papers import Sighting, Signals
from digestmail.selection.segments import for_all_topics, for_segment
from digestmail.storage import editions, papers

LEFT_OUT = 72
BASE = "https://papers.example.org"


def days(database):
    for day in reversed(range(3)):
        publish(database, day)
    with database.connect() as connection:
        edition = editions.get(connection, "daily", "2026-04-02").edition
    leave_out(database, edition, LEFT_OUT)


@pytest.fixture
def app(filled_url):
    with open_app(filled_url(days)) as opened:
        yield opened


@pytest.fixture
def site(app):
    return create_app(app)


def papers_of(text: str) -> list[str]:
    """Return the ids of the listed papers, in order."""
    return re.findall(r'<h[23] class="title"[^>]*><a href="/papers/([^"]+)">', text)


def next_of(text: str) -> str | None:
    found = re.search(r'rel="next" href="([^"]+)"', text)
    return found[1].replace("&amp;", "&") if found else None


def walk(site, path: str) -> list[str]:
    """Return the papers of a list and of all pages that continue it."""
    found: list[str] = []
    visited: set[str] = set()
    following: str | None = path
    while following:
        assert following not in visited
        visited.add(following)
        text = ask(site, following).text
        found += papers_of(text)
        following = next_of(text)
    return found


def edition_of(app, slot="2026-04-02"):
    with app.database.connect() as connection:
        return editions.get(connection, "daily", slot).edition


def test_what_an_email_only_counts_is_behind_its_link(app, site):
    edition = replace(edition_of(app), beyond=())
    shown = {entry.paper.id for section in for_all_topics(edition) for entry in section.entries}
    (agents,) = (section for section in for_segment(edition, ("Agents",), ()) if section.topic == "Agents")
    mail = Renderer().render(edition, (replace(agents, more=LEFT_OUT),), base_url=BASE)
    (link,) = set(re.findall(rf"{BASE}(/daily/2026-04-02/papers[^\s\"]*)", mail.text))
    assert f'href="{BASE}{link}"' in mail.html

    listed = walk(site, link)

    assert len([one for one in listed if one not in shown]) == LEFT_OUT
    assert len(set(listed)) == len(listed)
    assert [one for one in listed if one in shown] == [entry.paper.id for entry in agents.entries]


def test_the_page_of_an_edition_links_to_the_papers_that_it_only_counts(site):
    text = ask(site, "/daily/2026-04-02").text
    assert '<a href="/daily/2026-04-02/papers?topic=Agents">2 more papers</a>' in text
    assert '<a href="/daily/2026-04-02/papers">All papers of Thursday, 2 April 2026</a>' in text


def test_papers_that_qualified_are_listed_by_rank_and_those_of_the_edition_are_marked(app, site):
    edition = edition_of(app)
    text = ask(site, "/daily/2026-04-02/papers").text
    assert papers_of(text)[: len(edition.entries)] == [entry.paper.id for entry in edition.entries]
    assert text.count('<span class="mark-sent">In the edition</span>') == len(edition.entries)
    assert f"{len(edition.entries) + LEFT_OUT} papers qualified" in text
    assert f"Agents <span>{LEFT_OUT + 2}</span>" in text


def test_a_long_list_of_an_edition_is_continued_by_rank(app, site):
    leave_out(app.database, edition_of(app, "2026-04-01"), 250, topic="")
    assert len(walk(site, "/daily/2026-04-01/papers")) == 257
    assert len(walk(site, "/daily/2026-04-01/papers?topic=")) == 251


def test_the_list_of_an_edition_that_does_not_exist_is_no_page(site):
    for path in ("/daily/1999-01-01/papers", "/daily/x/papers", "/none/2026-04-02/papers"):
        assert ask(site, path).status == 404, path
    assert ask(site, "/daily/2026-04-02/papers?topic=Nonsense").status == 404
    assert ask(site, "/daily/2026-04-02/papers?after=nonsense").status == 200


def test_a_weekly_edition_has_a_list_and_that_of_a_reader_who_was_away_has_none(app, site):
    edition = edition_of(app)
    weekly = replace(edition, digest="daily@weekly", entries=())
    away = replace(weekly, digest="daily@2026-03-30--2026-04-02", since=edition.slot.day - timedelta(days=3))
    with app.database.begin() as connection:
        for one in (weekly, away):
            assert editions.add(connection, replace(one, reason="a test"))
    assert ask(site, "/daily/2026-04-02.weekly/papers").status == 200
    assert ask(site, "/daily/2026-04-02.2026-03-30--2026-04-02/papers").status == 404
    section = for_segment(edition, ("Agents",), ())[0]
    mail = Renderer().render(replace(away, entries=edition.entries), (section,), base_url=BASE)
    assert f"{BASE}/papers?topic=Agents&to=2026-04-02" in mail.text.replace("\n", "")
    weekly_mail = Renderer().render(replace(weekly, entries=edition.entries), (section,), base_url=BASE)
    assert f"{BASE}/daily/2026-04-02.weekly/papers?topic=Agents" in weekly_mail.text


def test_every_collected_paper_is_listed_once_newest_first_by_day(app, site):
    listed = walk(site, "/papers")
    assert len(listed) == len(set(listed)) == 3 * 7 + LEFT_OUT
    assert all(one.startswith("arxiv:2612.") for one in listed[:LEFT_OUT])
    text = ask(site, "/papers").text
    assert '<time datetime="2026-04-02">Thursday, 2 April 2026</time>' in text
    with app.database.begin() as connection:
        late = replace(edition_of(app).entries[0].paper, id="arxiv:2613.00001", link="https://arxiv.org/abs/2613.00001")
        seen = [Sighting(source="huggingface", paper=late, day=THURSDAY.date(), signals=Signals())]
        papers.add_sightings(connection, seen, THURSDAY + timedelta(days=1))
    assert walk(create_app(app), "/papers")[0] == "arxiv:2613.00001"


def test_papers_are_narrowed_by_source_topic_and_day(site):
    assert len(walk(site, "/papers?source=arxiv")) == LEFT_OUT
    assert len(walk(site, "/papers?source=huggingface")) == 21
    assert len(walk(site, "/papers?topic=Agents")) == LEFT_OUT + 6
    assert len(walk(site, "/papers?topic=Agents&source=huggingface")) == 6
    assert len(walk(site, "/papers?to=2026-03-30")) == 21
    assert walk(site, "/papers?to=2026-03-20") == []
    assert "There are no papers here." in ask(site, "/papers?source=nowhere").text
    text = ask(site, "/papers?topic=Agents&source=huggingface").text
    assert "<option selected>Agents</option>" in text
    assert "<option selected>huggingface</option>" in text


@pytest.mark.parametrize(
    "query", ["below=x", "below=-1", "below=0", "below=99999999999999999999", "to=tomorrow", "topic="]
)
def test_an_invalid_value_shows_the_newest_papers(site, query):
    found = ask(site, f"/papers?{query}")
    assert found.status == 200
    assert papers_of(found.text) == papers_of(ask(site, "/papers").text)


def test_a_paper_of_an_edition_says_in_which(site):
    text = ask(site, "/papers?source=huggingface").text
    assert 'href="/daily/2026-04-02"><bdi>Trending papers</bdi>, <bdi>2 Apr 2026</bdi></a>' in text
    assert "mark-sent" not in ask(site, "/papers?source=arxiv").text


@pytest.mark.parametrize("path", ["/papers", "/daily/2026-04-02/papers?topic=Agents"])
def test_lists_are_cached_like_other_pages_and_changed_by_nothing_but_their_parameters(site, path):
    first = ask(site, path)
    assert first.headers["cache-control"] == "public, max-age=60"
    mark = "&" if "?" in path else "?"
    again = ask(site, f"{path}{mark}utm_source=x", headers={"if-none-match": first.headers["etag"]})
    assert again.status == 304


def test_lists_are_linked_from_the_navigation_and_the_archive(site):
    assert '<a href="/papers">All papers</a>' in ask(site, "/").text
    assert 'href="/papers">All papers, also those that were in no edition</a>' in ask(site, "/daily").text


def test_only_the_plain_lists_are_for_crawlers(site):
    assert "noindex" not in ask(site, "/papers").text
    assert "noindex" in ask(site, "/papers?topic=Agents").text
    assert "noindex" in ask(site, "/papers?below=20").text
    assert "noindex" not in ask(site, "/daily/2026-04-02/papers").text
    assert "noindex" in ask(site, "/daily/2026-04-02/papers?topic=Agents").text
