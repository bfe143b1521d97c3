"""An edition that is out, for subscribers who did not get it: with `digestmail send`, or after they confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import AGENTS, THURSDAY, FakeSource, digest, reading, render, sighting
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.editions.late_recipients import WELCOME_WITHIN, LateRecipients, queue_edition, welcome
from digestmail.editions.publish import publish
from digestmail.errors import StorageError
from digestmail.model.deliveries import DeliveryState
from digestmail.model.subscribers import Subscription
from digestmail.storage import schema as tables
from digestmail.storage import subscribers

DAILY = digest(topics=(AGENTS,), welcome_edition=True)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def published(database):
    """A database with an edition for ada; ben subscribed afterwards, and carl to a topic that no paper matches."""
    subscribe(database, "ada", THURSDAY - DAY)
    collect(database, [FakeSource("hf", reading(sighting(1, title="One"), sighting(2, title="Two")))], THURSDAY - HOUR)
    publish(database, [DAILY], render, THURSDAY)
    subscribe(database, "ben", THURSDAY)
    subscribe(database, "carl", THURSDAY, topics=("Agents",))
    return database


def subscribe(database, name, now, **fields):
    with database.begin() as connection:
        person = subscribers.add(connection, f"{name}@example.org", now)
        subscribers.subscribe(connection, person, Subscription(digest="daily", **fields), now)
    return person


def recipients(database):
    d, p = tables.deliveries.c, tables.subscribers.c
    with database.connect() as connection:
        rows = connection.execute(select(p.address).join(tables.deliveries, d.subscriber_id == p.id))
        counted = connection.execute(select(tables.editions.c.recipients)).scalars().all()
    names = sorted(address.partition("@")[0] for address in rows.scalars())
    assert sum(counted) == len(names), "the accounts add up"
    return names


def test_those_who_lack_the_latest_edition_get_it_once(published):
    assert recipients(published) == ["ada"]
    sent = queue_edition(published, DAILY, None, None, THURSDAY + HOUR)
    assert sent == LateRecipients(slot="2026-04-02", queued=1, had_it=1, nothing_for=1)
    assert recipients(published) == ["ada", "ben"]
    again = queue_edition(published, DAILY, "2026-04-02", None, THURSDAY + HOUR)
    assert again == LateRecipients(slot="2026-04-02", queued=0, had_it=2, nothing_for=1)
    assert recipients(published) == ["ada", "ben"]


def test_one_subscriber_gets_it_even_while_paused(published):
    with published.begin() as connection:
        person = subscribers.find(connection, "ben@example.org")
        subscribers.pause(connection, person.id, THURSDAY + DAY, THURSDAY)
    assert queue_edition(published, DAILY, None, None, THURSDAY).queued == 0
    assert queue_edition(published, DAILY, None, "Ben@example.org", THURSDAY).queued == 1
    assert recipients(published) == ["ada", "ben"]


def test_papers_that_another_digest_sent_are_left_out(published):
    with published.begin() as connection:
        person = subscribers.find(connection, "ben@example.org")
        subscribers.subscribe(connection, person.id, Subscription(digest="other"), THURSDAY)
    publish(published, [replace(DAILY, name="other")], render, THURSDAY)
    sent = queue_edition(published, DAILY, None, "ben@example.org", THURSDAY)
    assert (sent.queued, sent.nothing_for) == (0, 1)


def test_what_cannot_be_sent_is_named(published):
    with pytest.raises(StorageError, match="has no edition 2020-01-01 with papers: `digestmail editions list`"):
        queue_edition(published, DAILY, "2020-01-01", None, THURSDAY)
    with pytest.raises(StorageError, match="has no edition with papers"):
        queue_edition(published, replace(DAILY, name="weekly"), None, None, THURSDAY)
    with pytest.raises(StorageError, match=r"nobody@example\.org is not subscribed to 'daily'"):
        queue_edition(published, DAILY, None, "nobody@example.org", THURSDAY)


def test_the_latest_edition_welcomes_whoever_confirmed(published):
    with published.begin() as connection:
        ids = {name: subscribers.find(connection, f"{name}@example.org").id for name in ("ada", "ben", "carl")}
        plain = replace(DAILY, welcome_edition=False)
        assert welcome(connection, [plain], ids["ben"], THURSDAY) == 0
        late = THURSDAY + WELCOME_WITHIN
        assert welcome(connection, [DAILY], ids["ben"], late) == 0, "an old edition is no welcome"
        assert [welcome(connection, [DAILY], one, THURSDAY + DAY) for one in ids.values()] == [0, 1, 0]
        assert welcome(connection, [DAILY], ids["ben"], THURSDAY + DAY) == 0, "once"
        assert welcome(connection, [DAILY], 999, THURSDAY) == 0
    assert recipients(published) == ["ada", "ben"]


def test_a_failed_delivery_is_not_sent_again_by_it(published):
    with published.begin() as connection:
        failed = tables.deliveries.update().values(state=DeliveryState.FAILED, due_at=None, ended_at=THURSDAY)
        connection.execute(failed)
    assert queue_edition(published, DAILY, None, "ada@example.org", THURSDAY).had_it == 1
