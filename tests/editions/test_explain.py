"""Explanations of a paper agree with what was or will be published."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from fakes import AGENTS, THURSDAY, VISION, FakeSource, digest, paper, reading, render, sighting

from digestmail.collect.collector import collect
from digestmail.editions.explain import Explanation, explain
from digestmail.editions.publish import publish
from digestmail.model.digests import Cadence, Limits
from digestmail.model.papers import Origin
from digestmail.model.subscribers import Subscription
from digestmail.storage import subscribers

DAY = timedelta(days=1)
DAILY = digest(sources=("hf", "arxiv"), curated=("hf",), topics=(AGENTS, VISION))


def see(database, *seen, source="hf", now: datetime) -> None:
    collect(database, [FakeSource(source, reading(*seen, source=source))], now)


def read_by(database, *choices: tuple[str, ...], cadence: Cadence | None = None) -> None:
    """Add a reader for each choice of topics."""
    with database.begin() as connection:
        for number, topics in enumerate(choices):
            reader = subscribers.add(connection, f"reader{number}@example.org", THURSDAY - DAY)
            wanted = Subscription(digest="daily", topics=topics, cadence=cadence)
            subscribers.subscribe(connection, reader, wanted, THURSDAY - DAY)


def explained(database, number: int, now: datetime, of=DAILY) -> Explanation:
    with database.connect() as connection:
        _, (explanation,) = explain(connection, [of], paper(number).id, now)
    return explanation


def test_sightings_of_the_requested_minute_count(database):
    see(database, sighting(1, title="An agent"), now=THURSDAY + timedelta(seconds=41))
    assert explained(database, 1, THURSDAY).outcome == "selected"


def test_a_paper_read_later_is_unknown_and_not_called_old(database):
    see(database, sighting(1), now=THURSDAY + timedelta(minutes=3))
    explanation = explained(database, 1, THURSDAY)
    assert explanation.outcome == "not-a-candidate"
    assert explanation.reasons == ("not seen yet at that time: first seen 2026-04-02 08:03:00 UTC",)


def test_of_a_paper_arxiv_announced_long_ago_the_source_that_makes_it_new_decides(database):
    week_ago = THURSDAY - 7 * DAY
    announced = sighting(1, source="arxiv", day=week_ago.date(), origin=Origin.ARXIV, title="An agent")
    see(database, announced, source="arxiv", now=week_ago)
    old = explained(database, 1, THURSDAY)
    assert old.outcome == "not-a-candidate"
    assert old.reasons == (
        "too old: the window starts 2026-03-31 07:00 UTC",
        "arxiv first showed it 2026-03-26 08:00 UTC and dates it 2026-03-26",
    )
    see(database, sighting(1, upvotes=92, title="An agent"), now=THURSDAY)
    new = explained(database, 1, THURSDAY)
    assert (new.outcome, new.reasons[0]) == ("selected", "selected, under 'Agents'")
    assert "1.00 for age" in new.reasons[2]


def test_papers_not_sent_to_subscribers_of_all_topics_are_explained(database):
    of = digest(topics=(AGENTS, VISION), limits=Limits(max_papers=1))
    see(database, sighting(1, upvotes=50, title="An agent"), sighting(2, title="An image"), now=THURSDAY)
    expected = [
        "subscribers of all topics do not get it: the limits are reached before rank 2",
        "subscribers who chose only 'Vision' get it",
    ]
    before = explained(database, 2, THURSDAY, of)
    assert (before.outcome, list(before.reasons[-2:])) == ("selected", expected)
    read_by(database, ("Vision",), ())
    publish(database, [of], render, THURSDAY)
    after = explained(database, 2, THURSDAY, of)
    assert (after.outcome, list(after.reasons[-2:])) == ("published", expected)
    assert after.reasons[0] == "published on Thu 02 April 2026, under 'Vision'"
    assert explained(database, 1, THURSDAY, of).reasons[-2:] == (
        "subscribers of all topics get it under 'Agents'",
        "subscribers who chose only 'Agents' get it",
    )


@pytest.mark.parametrize("choices", [[], [()], [("Agents",)]])
def test_of_a_published_paper_that_no_reader_got_one_sentence_says_so(database, choices):
    of = digest(topics=(AGENTS, VISION), limits=Limits(max_papers=1))
    see(database, sighting(1, upvotes=50, title="An agent"), sighting(2, title="An image"), now=THURSDAY)
    read_by(database, *choices)
    publish(database, [of], render, THURSDAY)
    said = explained(database, 2, THURSDAY, of).reasons
    assert said[0] == (
        "published on Thu 02 April 2026, under 'Vision', but no reader got it: the limits are reached before rank 2 "
        "for subscribers of all topics, and none chose only 'Vision'"
    )
    assert not any(word in sentence for sentence in said[1:] for word in ("subscribers", "selected"))


def test_a_reader_who_gets_the_digest_weekly_is_one(database):
    of = digest(topics=(AGENTS,))
    see(database, sighting(1, title="An agent"), now=THURSDAY)
    read_by(database, (), cadence=Cadence.WEEKLY)
    publish(database, [of], render, THURSDAY)
    assert "but no reader got it: the edition had no readers" in explained(database, 1, THURSDAY, of).reasons[0]
    publish(database, [of], render, THURSDAY + 4 * DAY)
    assert explained(database, 1, THURSDAY + 4 * DAY, of).reasons[0] == "published on Thu 02 April 2026, under 'Agents'"


def test_a_paper_that_matches_two_topics_is_explained_for_both(database):
    see(database, sighting(1, title="An agent", abstract="It sees an image."), now=THURSDAY)
    said = explained(database, 1, THURSDAY).reasons
    assert said[1:3] == (
        "matches 'Agents' with strength 0.70: keyword agent",
        "also matches 'Vision' with strength 0.50: keyword image",
    )
    assert said[-2:] == ("subscribers who chose only 'Agents' get it", "subscribers who chose only 'Vision' get it")


def test_leftover_papers_are_explained(database):
    of = digest(limits=Limits(max_papers=1), window_days=5)
    see(database, sighting(1, upvotes=9), sighting(2, upvotes=5), now=THURSDAY)
    publish(database, [of], render, THURSDAY)
    left = explained(database, 2, THURSDAY + DAY, of)
    assert left.outcome == "selected"
    assert "left over from the last edition, so newer papers come first" in left.reasons
    assert left.reasons[-2].startswith("but there would be no edition: no new papers")
    assert left.reasons[-1] == (
        "qualified for the edition of Thu 02 April 2026 at rank 2 (number 2 of those that match no topic, of which 1 "
        "were taken); the edition took 1 for subscribers of all topics"
    )
    see(database, sighting(3, day=date(2026, 4, 3), upvotes=0), now=THURSDAY + DAY)
    assert explained(database, 2, THURSDAY + DAY, of).outcome == "over-limit"
    assert explained(database, 3, THURSDAY + DAY, of).outcome == "selected"


def test_a_paper_over_the_limit_of_an_edition_is_explained_by_its_rank_in_each_topic(database):
    of = digest(topics=(AGENTS, VISION), limits=Limits(max_papers=2, max_per_topic=1))
    agents = [sighting(number, upvotes=90 - number, title="An agent") for number in (1, 2, 3)]
    see(database, *agents, sighting(4, upvotes=9, title="An image"), now=THURSDAY)
    publish(database, [of], render, THURSDAY)
    said = explained(database, 3, THURSDAY, of)
    assert said.outcome != "published"
    assert said.reasons[-1] == (
        "qualified for the edition of Thu 02 April 2026 at rank 3 (number 3 of 'Agents', which took 1); "
        "the edition took 2 for subscribers of all topics"
    )
    assert not any("qualified for" in reason for reason in explained(database, 1, THURSDAY, of).reasons)
