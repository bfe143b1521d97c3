"""Which papers are worth a summary: those of the editions that come next, in the languages that are read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeSource, digest, reading, render, sighting
from sqlalchemy import update

from digestmail.collect.collector import collect
from digestmail.editions import upcoming
from digestmail.editions.publish import publish
from digestmail.editions.upcoming import papers_to_summarize
from digestmail.errors import StorageError
from digestmail.model.digests import Cadence, Digest, Limits
from digestmail.model.subscribers import Subscription
from digestmail.model.theme import Appearance
from digestmail.storage import subscribers
from digestmail.storage.schema import subscribers as table

DAY = timedelta(days=1)


@pytest.fixture
def stored(database):
    collect(database, [FakeSource("hf", reading(*(sighting(n, upvotes=99 - n) for n in range(1, 6))))], THURSDAY)
    return database


def modelled(name: str = "daily", cron: str = "0 7 * * *", **fields) -> Digest:
    return digest(name, cron=cron, summary_model="small", **fields)


def found(database, *digests: Digest, now=THURSDAY) -> list[tuple[str, str]]:
    return [(paper.title, language) for paper, language in papers_to_summarize(database, digests, now, now)]


def subscribe(database, address: str, language: str | None = None, cadence: Cadence | None = None) -> None:
    with database.begin() as connection:
        subscriber_id = subscribers.add(connection, address, THURSDAY - 9 * DAY)
        subscription = Subscription(digest="daily", cadence=cadence)
        subscribers.subscribe(connection, subscriber_id, subscription, THURSDAY - 9 * DAY)
        connection.execute(update(table).where(table.c.id == subscriber_id).values(language=language))


def test_only_papers_that_the_next_edition_contains_by_rank(stored):
    assert found(stored, modelled(limits=Limits(max_papers=3))) == [(f"Paper {n}", "en") for n in (1, 2, 3)]


def test_a_digest_without_a_model_has_none(stored):
    assert found(stored, digest()) == []


def test_the_most_frequent_language_of_readers_follows_that_of_the_digest(stored):
    for number, language in enumerate(["fr", "de", "de", "en", None]):
        subscribe(stored, f"r{number}@example.net", language)
    only = modelled(limits=Limits(max_papers=1))
    assert found(stored, only) == [("Paper 1", "en"), ("Paper 1", "de"), ("Paper 1", "fr")]


def test_the_edition_that_was_due_first_comes_first_and_one_in_two_days_not_at_all(stored):
    limits = Limits(max_papers=1)
    morning = modelled("morning", limits=limits, look=Appearance(language="fr"))
    last_evening = modelled("evening", "0 20 * * *", limits=limits)
    in_days = modelled("monthly", "0 7 5 * *", limits=Limits(max_papers=5))
    assert found(stored, in_days, morning, last_evening) == [("Paper 1", "en"), ("Paper 1", "fr")]


def test_what_is_published_is_not_asked_for_again(stored):
    daily = modelled()
    subscribe(stored, "r@example.net")
    publish(stored, [daily], render, THURSDAY)
    assert found(stored, daily) == []


def test_a_variant_with_readers_counts_on_the_day_before_it_is_due(stored):
    daily = modelled(limits=Limits(max_papers=2))
    sunday = THURSDAY + 3 * DAY
    assert found(stored, daily, now=sunday) == []
    subscribe(stored, "r@example.net", cadence=Cadence.WEEKLY)
    assert found(stored, daily, now=sunday) == [("Paper 1", "en"), ("Paper 2", "en")]


def test_a_digest_that_cannot_be_composed_leaves_the_others_theirs(stored, monkeypatch, caplog):
    real = upcoming.compose

    def compose(connection, one, *args):
        if one.name == "broken":
            raise StorageError("it is broken")
        return real(connection, one, *args)

    monkeypatch.setattr(upcoming, "compose", compose)
    assert len(found(stored, modelled("broken"), modelled())) == 5
    assert "digest broken are not summarized: it is broken" in caplog.text
