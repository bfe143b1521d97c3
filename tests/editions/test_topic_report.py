"""What a topic admits of the stored papers, and why it was not learned."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeSource, digest, reading, render, sighting

from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.editions.topic_report import TopicTest, examine_topic, list_topics
from digestmail.model.digests import Topic
from digestmail.selection.topic_model import TopicModel, dump, fingerprint
from digestmail.storage import topic_models
from digestmail.storage.topic_models import Learned

DAY = timedelta(days=1)
CACHES = Topic(name="Caches", keywords=("cache", "prefetching"), exclude=("museum",))
USER = digest(topics=(CACHES,))


def see(database, *seen, source="hf", now=THURSDAY) -> None:
    collect(database, [FakeSource(source, reading(*seen, source=source))], now)


def examined(database, topic=CACHES, users=(USER,), sources=("hf",), days=14, now=THURSDAY) -> TopicTest:
    return examine_topic(database, topic, users, sources, now, days)


def numbers(papers) -> list[int]:
    return [int(paper.paper_id[-3:]) for paper in papers]


def learn(database, topic: Topic, model: TopicModel | None) -> None:
    stored = Learned(model=None if model is None else dump(model), papers=4321, learned_on=THURSDAY.date())
    with database.begin() as connection:
        topic_models.replace_all(connection, {fingerprint(topic): stored})


def test_papers_are_listed_strongest_first_with_the_reason(database):
    see(
        database,
        sighting(1, abstract="A cache is used."),
        sighting(2, title="Cache prefetching"),
        sighting(3, title="Soup"),
        sighting(4, title="A cache"),
    )
    found = examined(database)
    assert numbers(found.admitted) == [2, 4, 1]
    assert [paper.reason for paper in found.admitted] == [
        "keyword cache, prefetching",
        "keyword cache",
        "keyword cache",
    ]
    assert (found.papers, found.digests) == (4, ("daily",))
    strengths = [paper.strength for paper in found.admitted]
    assert strengths == sorted(strengths, reverse=True)


def test_papers_that_were_published_are_tested_too(database):
    see(database, sighting(1, title="A cache"))
    assert publish(database, [USER], render, THURSDAY).digests[0].papers == 1
    assert numbers(examined(database).admitted) == [1]


def test_only_papers_that_these_sources_first_showed_in_the_period_are_tested(database):
    see(database, sighting(1, title="A cache"), now=THURSDAY - 15 * DAY)
    see(database, sighting(1, title="A cache"), now=THURSDAY)
    see(database, sighting(2, title="A cache"), now=THURSDAY - 13 * DAY)
    see(database, sighting(3, title="A cache", source="arxiv"), source="arxiv")
    assert numbers(examined(database).admitted) == [2]
    assert sorted(numbers(examined(database, sources=("hf", "arxiv")).admitted)) == [2, 3]
    assert sorted(numbers(examined(database, days=16).admitted)) == [1, 2]


def test_papers_close_to_min_strength_are_borderline_on_both_sides(database):
    see(database, sighting(1, title="A cache"), sighting(2, abstract="A cache is used."))
    above = examined(database, replace(CACHES, min_strength=0.4))
    assert [paper.borderline for paper in above.admitted] == [False, True]
    assert above.nearly == ()
    below = examined(database, replace(CACHES, min_strength=0.64))
    assert (numbers(below.admitted), numbers(below.nearly)) == ([1], [2])
    assert below.admitted[0].borderline
    far = examined(database, replace(CACHES, min_strength=0.9))
    assert (far.admitted, far.nearly) == ((), ())


def test_what_a_category_or_an_author_admits_is_not_borderline(database):
    topic = replace(CACHES, categories=("cs.AR",), min_strength=0.95)
    see(database, sighting(1, categories=("cs.AR",)))
    (paper,) = examined(database, topic).admitted
    assert paper.reason == "category cs.AR"
    assert abs(paper.strength - topic.min_strength) < 0.15
    assert not paper.borderline


def test_excluded_papers_are_listed_with_the_phrase(database):
    see(database, sighting(1, title="A cache", abstract="Found in a museum."), sighting(2, abstract="A museum."))
    found = examined(database)
    assert found.admitted == ()
    assert numbers(found.excluded) == [1]
    assert found.excluded[0].reason == "excluded by 'museum'; keyword cache"


def test_withdrawn_papers_are_not_tested(database):
    see(database, sighting(1, title="A cache", withdrawn=True))
    assert (examined(database).papers, examined(database).admitted) == (0, ())


@pytest.mark.parametrize(
    ("topic", "why"),
    [
        (CACHES, "too few papers: 1 of 1,000"),
        (replace(CACHES, learn=False), "learn = false"),
        (Topic(name="Hardware", categories=("cs.AR",)), "it has neither keywords nor a description to learn from"),
    ],
)
def test_a_topic_that_was_not_learned_says_why(database, topic, why):
    see(database, sighting(1))
    basis = examined(database, topic).basis
    assert (basis.learned, basis.why_not) == (False, why)


def test_with_enough_papers_the_reason_is_that_it_is_new_or_that_no_digest_uses_it(sqlite, monkeypatch):
    monkeypatch.setattr("digestmail.editions.topic_report.FEWEST_PAPERS", 1)
    see(sqlite, sighting(1))
    assert "is new or changed" in examined(sqlite).basis.why_not
    assert examined(sqlite, users=()).basis.why_not == "no digest uses it"


def test_a_learned_topic_is_judged_by_what_was_learned(database):
    see(database, sighting(1, title="Prefetch hints"), sighting(2, title="Soup"))
    learn(database, CACHES, TopicModel(weights={"prefetch": 9.0}, slope=4.0, offset=-3.0))
    found = examined(database)
    assert (found.basis.learned, found.basis.papers, found.basis.learned_on) == (True, 4321, THURSDAY.date())
    assert numbers(found.admitted) == [1]
    assert found.admitted[0].reason == "probability 1.00 because of prefetch"


def test_a_topic_that_too_few_papers_are_about_is_not_learned(database):
    learn(database, CACHES, None)
    basis = examined(database).basis
    assert (basis.learned, basis.why_not) == (False, "too few of 4,321 papers are certainly about it")


def test_the_list_has_a_row_for_each_topic_and_digest_and_for_unused_topics(database):
    soup, spoons = Topic(name="Soup", keywords=("soup",)), Topic(name="Spoons", keywords=("spoon",))
    weekly = digest("weekly", sources=("hf", "arxiv"), topics=(soup, CACHES))
    see(database, sighting(1, title="A cache of soup"), sighting(2, title="Soup"))
    see(database, sighting(3, title="A cache", source="arxiv"), source="arxiv")
    rows = list_topics(database, (CACHES, spoons, soup), (USER, weekly), THURSDAY, 14)
    assert [(row.topic, row.digest, row.admitted, row.papers) for row in rows] == [
        ("Caches", "daily", 1, 2),
        ("Caches", "weekly", 2, 3),
        ("Spoons", None, 0, 0),
        ("Soup", "weekly", 2, 3),
    ]
