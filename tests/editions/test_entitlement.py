"""What the preview shows for a person is what publishing commits for them, before and after."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import AGENTS, THURSDAY, VISION, FakeSource, digest, reading, render, sighting

from digestmail.collect.collector import collect
from digestmail.editions.compose import compose, upcoming_slot
from digestmail.editions.entitlement import entitlement_of
from digestmail.editions.publish import publish
from digestmail.model.digests import Limits
from digestmail.model.subscribers import Subscription
from digestmail.storage import editions, subscribers

DAILY = digest(topics=(AGENTS, VISION))
WEEKLY = digest("weekly", cron="0 7 * * 4")
PEOPLE = {
    "all@example.org": {"daily": (), "weekly": ()},
    "agents@example.org": {"daily": ("Agents",)},
    "vision@example.org": {"daily": ("Vision",), "weekly": ()},
    "none@example.org": {},
}


@pytest.fixture
def readers(database):
    collect(
        database,
        [
            FakeSource(
                "hf",
                reading(
                    sighting(1, title="An agent", upvotes=9),
                    sighting(2, title="An image", upvotes=8),
                    sighting(3, title="A proof", upvotes=7),
                ),
            )
        ],
        THURSDAY - timedelta(hours=1),
    )
    with database.begin() as connection:
        for address, wishes in PEOPLE.items():
            number = subscribers.add(connection, address, THURSDAY)
            for name, topics in wishes.items():
                subscribers.subscribe(connection, number, Subscription(digest=name, topics=topics), THURSDAY)
    with database.connect() as connection:
        return {address: subscribers.find(connection, address) for address in PEOPLE}


def titles(share) -> list[str]:
    return [entry.paper.title for section in share.sections for entry in section.entries]


def test_each_person_gets_the_topics_they_chose(database, readers):
    with database.connect() as connection:
        edition = compose(connection, DAILY, upcoming_slot(connection, DAILY, THURSDAY), THURSDAY).edition
        shares = {address: entitlement_of(connection, DAILY, edition, reader) for address, reader in readers.items()}

    assert titles(shares["all@example.org"]) == ["An agent", "An image", "A proof"]
    assert titles(shares["agents@example.org"]) == ["An agent"]
    assert titles(shares["vision@example.org"]) == ["An image"]
    assert not shares["none@example.org"].subscribed
    assert not any(share.delivered for share in shares.values())


def test_papers_of_another_digest_are_left_out_and_counted(database, readers):
    publish(database, [DAILY], render, THURSDAY)

    with database.connect() as connection:
        edition = compose(connection, WEEKLY, upcoming_slot(connection, WEEKLY, THURSDAY), THURSDAY).edition
        all_of_it = entitlement_of(connection, WEEKLY, edition, readers["all@example.org"])
        rest = entitlement_of(connection, WEEKLY, edition, readers["vision@example.org"])

    assert titles(all_of_it) == []
    assert len(all_of_it.received) == 3
    assert titles(rest) == ["An agent", "A proof"]
    assert len(rest.received) == 1


def test_for_a_published_edition_the_stored_content_is_shown(database, readers):
    publish(database, [DAILY], render, THURSDAY)
    publish(database, [WEEKLY], render, THURSDAY)

    with database.begin() as connection:
        weekly = editions.get(connection, "weekly", "2026-04-02").edition
        before = entitlement_of(connection, WEEKLY, weekly, readers["vision@example.org"])
        subscribers.subscribe(
            connection, readers["vision@example.org"].id, Subscription(digest="daily", topics=()), THURSDAY
        )
        after = entitlement_of(connection, WEEKLY, weekly, readers["vision@example.org"])

    assert before == after
    assert after.delivered
    assert titles(after) == ["An agent", "A proof"]
    assert len(after.received) == 1


def test_papers_over_limits_are_counted_the_same_before_and_after_publishing(database, readers):
    small = replace(DAILY, topics=(AGENTS, VISION), limits=Limits(max_papers=1))
    collect(database, [FakeSource("hf", reading(sighting(4, title="An agent", upvotes=1)))], THURSDAY)

    with database.connect() as connection:
        edition = compose(connection, small, upcoming_slot(connection, small, THURSDAY), THURSDAY).edition
        before = {address: entitlement_of(connection, small, edition, reader) for address, reader in readers.items()}
    publish(database, [small], render, THURSDAY)
    with database.connect() as connection:
        stored = editions.get(connection, "daily", "2026-04-02").edition
        after = {address: entitlement_of(connection, small, stored, reader) for address, reader in readers.items()}

    assert {address: share.sections for address, share in after.items()} == {
        address: share.sections for address, share in before.items()
    }
    assert [(one.topic, len(one.entries), one.more) for one in after["agents@example.org"].sections] == [
        ("Agents", 1, 1)
    ]
    # Papers over a limit are not reported as part of another digest.
    assert not any(share.received for share in after.values())
    assert after["agents@example.org"].delivered
