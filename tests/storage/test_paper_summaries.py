"""Summaries are stored for each paper and language, and count only for the text and the model that they are from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import THURSDAY, paper, sighting
from sqlalchemy import select

from digestmail.model.papers import PaperId
from digestmail.model.summaries import PaperSummary, summary_in
from digestmail.storage import api_usage, paper_summaries, papers
from digestmail.storage.schema import api_usage as usage_table
from digestmail.storage.schema import paper_summaries as table

ENGLISH = PaperSummary(language="en", sentence="A sentence.", points=("One.", "Two.", "Three."))
GERMAN = PaperSummary(language="de", sentence="Ein Satz.")
DAY = THURSDAY.date()


@pytest.fixture
def stored(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1), sighting(2)], THURSDAY)
        for one in (ENGLISH, GERMAN):
            paper_summaries.store(connection, "small", paper(1), one)
    return database


def test_summaries_are_returned_by_language(stored):
    with stored.connect() as connection:
        found = paper_summaries.of_papers(connection, "small", [paper(1), paper(2)])
    assert found == {paper(1).id: (GERMAN, ENGLISH)}


@pytest.mark.parametrize(
    ("model", "wanted"),
    [("large", paper(1)), ("small", paper(1, title="Corrected")), ("small", paper(1, abstract="Corrected."))],
)
def test_another_model_or_text_has_none(stored, model, wanted):
    with stored.connect() as connection:
        assert paper_summaries.of_papers(connection, model, [wanted]) == {}
        assert paper_summaries.lacking(connection, model, [(wanted, "en")]) == [(wanted, "en")]


def test_what_is_lacking_keeps_its_order_and_unknown_papers_lack_nothing(stored):
    wanted = [(paper(2), "en"), (paper(1), "en"), (paper(1), "fr"), (paper(9), "en"), (paper(2), "de")]
    with stored.connect() as connection:
        assert paper_summaries.lacking(connection, "small", wanted) == [wanted[0], wanted[2], wanted[4]]


def test_after_two_refusals_a_paper_gets_no_summary_until_its_text_changes(stored):
    with stored.begin() as connection:
        for expected in ([(paper(2), "en")], []):
            paper_summaries.store_refusal(connection, "small", paper(2), "en", "markup\0" * 900)
            assert paper_summaries.lacking(connection, "small", [(paper(2), "en")]) == expected
        assert paper_summaries.of_papers(connection, "small", [paper(2)]) == {}
        changed = paper(2, title="Corrected")
        assert paper_summaries.lacking(connection, "small", [(changed, "en")]) == [(changed, "en")]
        paper_summaries.store_refusal(connection, "small", changed, "en", "markup")
        assert paper_summaries.lacking(connection, "small", [(changed, "en")]) == [(changed, "en")]
        paper_summaries.store(connection, "small", changed, ENGLISH)
        assert paper_summaries.of_papers(connection, "small", [changed]) == {changed.id: (ENGLISH,)}


def test_of_papers_that_are_merged_the_older_one_keeps_its_summaries(stored):
    with stored.begin() as connection:
        paper_summaries.store(connection, "small", paper(2), replace(ENGLISH, sentence="Another one."))
        both = sighting(1, aliases=(PaperId("arxiv:2604.00002"),))
        assert papers.add_sightings(connection, [both], THURSDAY).merged == 1
        assert sorted(connection.execute(select(table.c.sentence)).scalars()) == ["A sentence.", "Ein Satz."]
        (kept,) = papers.by_ids(connection, [paper(2).id]).values()
        assert paper_summaries.of_papers(connection, "small", [kept]) == {kept.id: (GERMAN, ENGLISH)}


@pytest.mark.parametrize(
    ("tag", "found"), [("de", GERMAN), ("de-AT", GERMAN), ("DE", GERMAN), ("fr", None), ("", None)]
)
def test_a_variant_of_a_language_gets_the_summary_in_that_language(tag, found):
    assert summary_in((ENGLISH, GERMAN), tag) == found


def test_a_day_s_requests_and_tokens_are_limited_and_other_days_and_services_count_apart(database):
    def reserve(service: str = "summaries", day=DAY, tokens: int = 10) -> bool:
        with database.begin() as connection:
            return api_usage.reserve(connection, service, day, requests=3, tokens=tokens, most_tokens=25)

    assert [reserve(), reserve(), reserve()] == [True, True, False]
    assert reserve(tokens=5)
    assert not reserve(tokens=0)
    assert reserve("openalex")
    assert reserve(day=DAY + timedelta(days=1))
    with database.begin() as connection:
        assert api_usage.used(connection, "summaries", DAY) == (3, 25)
        api_usage.add_tokens(connection, "summaries", DAY, -20)
        assert api_usage.used(connection, "summaries", DAY) == (3, 5)
        assert api_usage.used(connection, "summaries", DAY - timedelta(days=1)) == (0, 0)


def test_counts_of_days_long_past_are_removed_and_those_of_a_clock_that_was_ahead_do_no_harm(database):
    with database.begin() as connection:
        for days in (0, 30, 61, 4000):
            assert api_usage.reserve(connection, "summaries", DAY + timedelta(days=days), requests=1)
        assert api_usage.reserve(connection, "summaries", DAY + timedelta(days=62), requests=1)
        kept = sorted(connection.execute(select(usage_table.c.day)).scalars())
        assert kept == [DAY + timedelta(days=62), DAY + timedelta(days=4000)]
