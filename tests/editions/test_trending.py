"""Papers of earlier editions that trend, from sightings to the email that says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import AGENTS, THURSDAY, VISION, FakeSource, digest, reading, render, sighting
from outbox import claim_deliveries

from digestmail.collect.collector import collect
from digestmail.delivery.edition_composer import EditionComposer
from digestmail.editions.compose import compose_next
from digestmail.editions.explain import explain_paper
from digestmail.editions.publish import publish
from digestmail.mail.tokens import Tokens
from digestmail.model.papers import PaperId
from digestmail.model.subscribers import Subscription
from digestmail.storage import archive, editions, papers, subscribers

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class FakeTemplate:
    def personalize(self, **_) -> bytes:
        return b""


DAILY = digest(topics=(AGENTS, VISION))


@pytest.fixture
def play(database):
    """Return what reads these sightings an hour before the slot of a day, and publishes."""

    def play(day: int, *seen, of=DAILY):
        now = THURSDAY + day * DAY
        collect(database, [FakeSource("hf", reading(*seen))], now - HOUR)
        (report,) = publish(database, [of], render, now).digests
        with database.connect() as connection:
            stored = editions.get(connection, of.name, now.date().isoformat())
        return report, stored.edition if stored else None

    return play


def seen(number: int, day: int, upvotes: int, **fields):
    return sighting(number, day=(THURSDAY + day * DAY).date(), upvotes=upvotes, **fields)


def test_a_paper_that_gains_votes_is_named_once_and_counted_never(play, database):
    play(0, seen(1, 0, 10, title="An agent"), seen(2, 0, 50))
    _, soon = play(1, seen(1, 0, 90, title="An agent"), seen(3, 1, 5))
    assert soon.trending == (), "a day later it is no news"
    report, later = play(5, seen(1, 0, 95, title="An agent"), seen(2, 0, 60), seen(4, 5, 5))
    ((line),) = later.trending
    assert (line.paper.title, line.count, line.growth) == ("An agent", "upvotes", 85)
    assert (line.published_on, line.topics) == (THURSDAY.date(), ("Agents",))
    assert report.papers == 1
    assert [entry.paper.title for entry in later.entries] == ["Paper 4"]
    _, last = play(8, seen(1, 0, 400, title="An agent"), seen(5, 8, 5))
    assert last.trending == (), "it was named before"
    _, (explained,) = explain_paper(database, [DAILY], "arxiv:2604.00001", THURSDAY + 9 * DAY)
    assert explained.outcome == "published"
    assert explained.reasons[-1] == "trending again since Tue 07 April 2026: 85 more upvotes"


def test_without_a_new_paper_there_is_no_edition_whatever_trends(play):
    play(0, seen(1, 0, 10))
    report, edition = play(5, seen(1, 0, 500))
    assert (report.status, edition.trending) == ("empty", ())


def test_a_digest_of_other_sources_does_not_look_at_these_votes(play, database):
    play(0, seen(1, 0, 10))
    collect(database, [FakeSource("other", reading(seen(1, 0, 500, source="other"), source="other"))], THURSDAY + DAY)
    _, edition = play(5, seen(2, 5, 1))
    assert edition.trending == ()


def test_composing_again_gives_the_same_lines_and_stored_editions_keep_them(play, database):
    play(0, seen(1, 0, 10))
    collect(database, [FakeSource("hf", reading(seen(1, 0, 70), seen(2, 5, 1)))], THURSDAY + 5 * DAY - HOUR)
    composed = compose_next(database, DAILY, THURSDAY + 5 * DAY).edition
    publish(database, [DAILY], render, THURSDAY + 5 * DAY)
    with database.connect() as connection:
        (stored,) = archive.between(connection, "daily", THURSDAY + DAY, THURSDAY + 9 * DAY)
    assert stored.trending == composed.trending
    assert [line.growth for line in stored.trending] == [60]


def test_the_latest_counts_are_those_of_the_last_reading_of_each_source(database):
    collect(database, [FakeSource("hf", reading(seen(1, 0, 90), seen(2, 0, 5)))], THURSDAY)
    collect(database, [FakeSource("hf", reading(seen(1, 0, 80)))], THURSDAY + DAY)
    collect(database, [FakeSource("b", reading(seen(1, 0, 7, source="b"), source="b"))], THURSDAY + DAY)
    first, second = PaperId("arxiv:2604.00001"), PaperId("arxiv:2604.00002")
    with database.connect() as connection:

        def upvotes(sources, until):
            found = papers.latest(connection, [first, second, PaperId("arxiv:none")], sources, until)
            return {paper_id: signals.upvotes for paper_id, (_, signals) in found.items()}

        assert upvotes(["hf"], THURSDAY + 2 * DAY) == {first: 80, second: 5}
        assert upvotes(["hf"], THURSDAY) == {first: 90, second: 5}
        assert upvotes(["b"], THURSDAY + 2 * DAY) == {first: 7}
        assert upvotes(["hf", "b"], THURSDAY + 2 * DAY) == {first: 80, second: 5}
        assert upvotes([], THURSDAY + 2 * DAY) == {}


def test_a_reader_of_other_topics_is_not_told_of_it(play, database):
    with database.begin() as connection:
        for name, topics in (("all", ()), ("agents", ("Agents",)), ("vision", ("Vision",))):
            reader = subscribers.add(connection, f"{name}@example.org", THURSDAY)
            subscribers.subscribe(connection, reader, Subscription(digest="daily", topics=topics), THURSDAY)
    play(0, seen(1, 0, 10, title="An agent"))
    play(5, seen(1, 0, 95, title="An agent"), seen(2, 5, 5, title="An agent that sees an image"))
    said = {}

    def remember(edition, sections, *, language=None):
        said[len(said)] = [line.paper.title for line in edition.trending]
        return render(edition, sections, language=language)

    with database.begin() as connection:
        found = [one for one in claim_deliveries(connection, 100, THURSDAY + 9 * DAY, DAY) if one.edition_id == 2]
    for delivery in sorted(found, key=lambda one: one.address):
        composer = EditionComposer(
            database,
            remember,
            lambda *_: FakeTemplate(),
            Tokens("secret"),
            sender="d@example.org",
            domain="example.org",
        )
        composer.write(delivery, THURSDAY)
    assert list(said.values()) == [["An agent"], ["An agent"], []]
