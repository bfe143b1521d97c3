from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY, paper, sighting
from sqlalchemy import text

from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Signals
from digestmail.model.search import Query
from digestmail.model.selection import Entry, Score, TopicMatch
from digestmail.storage import editions, papers, search


@pytest.fixture
def known(database):
    with database.begin() as connection:
        rows = [
            sighting(1, title="Sparse transformers for small phones", abstract="They run.", authors=("Zoë Étude",)),
            sighting(2, title="On gardens", abstract="A transformer of low rank hums beside the low sparse hedge."),
            sighting(
                3, title="Notes on <script>alert(1)</script> tags", abstract="Markup is text; low noise, rank one."
            ),
        ]
        papers.add_sightings(connection, rows, THURSDAY)
        later = [sighting(4, title="A sparse sequel", source="arxiv")]
        papers.add_sightings(connection, later, THURSDAY + timedelta(days=3))
    return database


def ids(database, text: str = "", **fields) -> list[str]:
    with database.connect() as connection:
        return [hit.paper.id[-1] for hit in search.search(connection, Query(text=text, **fields)).hits]


def test_words_are_found_whatever_their_case_ending_or_accent(known):
    assert ids(known, "TRANSFORMERS") == ["1", "2"]
    assert ids(known, "sparse phone") == ["1"]
    assert ids(known, "Zoë") == ["1"]


def test_a_phrase_is_found_only_as_one(known):
    assert ids(known, "low rank") == ["2", "3"] or ids(known, "low rank") == ["3", "2"]
    assert ids(known, '"low rank"') == ["2"]
    assert ids(known, '"low rank') == ["2"]


def test_a_title_weighs_more_than_an_abstract(known):
    assert ids(known, "sparse")[-1] == "2"


def test_the_search_is_narrowed_by_source_and_date(known):
    assert ids(known, "sparse", source="arxiv") == ["4"]
    assert ids(known, "sparse", since=THURSDAY + timedelta(days=1)) == ["4"]
    assert sorted(ids(known, "sparse", before=THURSDAY + timedelta(days=1))) == ["1", "2"]
    assert ids(known, "sparse", topic="Agents") == []


def test_a_list_of_feeds_is_searched_by_its_name(database):
    with database.begin() as connection:
        for number, source in enumerate(
            ("blogs/a.example-0a1b2c", "blogs/b.example-0a1b2c", "blog", "blogs2", "bl%"), 1
        ):
            papers.add_sightings(connection, [sighting(number, title="Sparse rivers", source=source)], THURSDAY)
    assert sorted(ids(database, "sparse", source="blogs")) == ["1", "2"]
    assert ids(database, "sparse", source="blogs/b.example-0a1b2c") == ["2"]
    assert ids(database, "sparse", source="bl%") == ["5"]


def test_the_newest_matches_come_in_order_of_arrival_whatever_matches_best(known):
    def newest(words: str, limit: int = 10, **fields) -> list[tuple[str, object]]:
        with known.connect() as connection:
            found = search.newest(connection, Query(text=words, **fields), limit=limit)
        return [(one.paper.id[-1], one.first_seen_at) for one in found]

    later = THURSDAY + timedelta(days=3)
    assert newest("sparse") == [("4", later), ("2", THURSDAY), ("1", THURSDAY)]
    assert newest("sparse", 2) == [("4", later), ("2", THURSDAY)]
    assert newest("") == [("4", later), ("3", THURSDAY), ("2", THURSDAY), ("1", THURSDAY)]
    assert newest("sparse", source="arxiv") == [("4", later)]
    assert newest("zzzz") == newest('"') == []


def test_every_topic_that_occurs_is_known_once_and_in_order(known):
    with known.begin() as connection:
        assert search.topics(connection) == ()
        for number, topic in enumerate(["Vision", None, "Agents", "Vision"], start=1):
            of = Edition(
                digest="daily",
                slot=Slot(at=THURSDAY, key=f"2026-04-0{number}", day=THURSDAY.date()),
                title="",
                byline="",
                composed_at=THURSDAY,
                entries=(entry(number, topic),),
            )
            editions.add(connection, of)
        assert search.topics(connection) == ("Agents", "Vision")


def entry(number: int, topic: str | None) -> Entry:
    matches = (TopicMatch(topic=topic, strength=1.0),) if topic else ()
    return Entry(paper=paper(number), signals=Signals(), score=Score(total=1.0), rank=1, matches=matches)


def test_without_text_the_newest_papers_come_first(known):
    assert ids(known)[0] == "4"
    assert len(ids(known)) == 4


def test_matches_are_marked_and_the_text_is_unchanged(known):
    with known.connect() as connection:
        (hit,) = search.search(connection, Query(text="alert")).hits
    assert "".join(piece for piece, _ in hit.title) == "Notes on <script>alert(1)</script> tags"
    assert [piece for piece, is_hit in hit.title if is_hit] == ["alert"]


@pytest.mark.parametrize(
    "odd", ['"', "***", "a OR b) NEAR", "title:x", "-", "'; DROP TABLE papers", "\0", "!&|<->", "é" * 900]
)
def test_no_query_is_an_error(known, odd):
    assert isinstance(ids(known, odd), list)


def test_pages_follow_each_other(known):
    with known.connect() as connection:
        whole = search.search(connection, Query())
        pages = [search.search(connection, Query(), limit=1, offset=number) for number in range(4)]
    assert [page.hits[0].paper.id for page in pages] == [hit.paper.id for hit in whole.hits]
    assert {page.total for page in pages} == {4}


def test_a_changed_paper_is_found_by_its_new_words(known):
    with known.begin() as connection:
        papers.add_sightings(connection, [sighting(2, title="On orchards", abstract="Apples.")], THURSDAY)
    assert ids(known, "orchard") in (["2"], [])
    with known.begin() as connection:
        connection.execute(text("UPDATE papers SET title = 'Quinces' WHERE id = 2"))
    assert ids(known, "quince") == ["2"]
    assert ids(known, "orchard") == []
    assert ids(known, "gardens") == []


def test_a_query_is_cut_into_words_and_phrases():
    assert search.terms('state-of-the-art "low rank" x') == (
        ("state", "of", "the", "art"),
        ("low", "rank"),
        ("x",),
    )
    assert paper(1).id.startswith("arxiv:")
