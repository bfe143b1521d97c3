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
from digestmail.model.deliveries import PUT_BACK, TOO_LATE, DeliveryState
from digestmail.model.subscribers import Subscription
from digestmail.storage import schema as tables
from digestmail.storage import settings, subscribers

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
    assert sent == LateRecipients(slot="2026-04-02", queued=1, had_it=1, uncertain=0, nothing_for=1)
    assert recipients(published) == ["ada", "ben"]
    again = queue_edition(published, DAILY, "2026-04-02", None, THURSDAY + HOUR)
    assert again == LateRecipients(slot="2026-04-02", queued=0, had_it=2, uncertain=0, nothing_for=1)
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


def cancelled(database, why, at=THURSDAY + HOUR, **fields):
    """Cancel the delivery to ada."""
    with database.begin() as connection:
        values = {"state": DeliveryState.CANCELLED, "due_at": None, "ended_at": at, "text": why, **fields}
        connection.execute(tables.deliveries.update().values(values))


def delivery(database):
    """Return the delivery to ada, the first one."""
    with database.connect() as connection:
        return connection.execute(select(tables.deliveries).order_by(tables.deliveries.c.subscriber_id)).first()


def test_a_reader_who_left_before_it_was_sent_and_came_back_gets_it(published):
    with published.begin() as connection:
        subscribers.remove(connection, "ada@example.org", THURSDAY)
    subscribe(published, "ada", THURSDAY + HOUR)
    before = delivery(published)
    sent = queue_edition(published, DAILY, None, "ada@example.org", THURSDAY + 2 * HOUR)
    assert (sent.queued, sent.had_it, sent.uncertain) == (1, 0, 0)
    after = delivery(published)
    assert (after.state, after.due_at, after.ended_at) == ("queued", THURSDAY + 2 * HOUR, None)
    assert after.fence > before.fence
    assert queue_edition(published, DAILY, None, "ada@example.org", THURSDAY + 2 * HOUR).had_it == 1
    assert recipients(published) == ["ada"]


def test_a_second_attempt_is_deferred_with_what_the_reader_wants_now(published):
    cancelled(published, "other topics chosen", attempts=2)
    subscribe(published, "ada", THURSDAY, topics=("Agents",))
    assert queue_edition(published, DAILY, None, "ada@example.org", THURSDAY).nothing_for == 1
    subscribe(published, "ada", THURSDAY)
    assert queue_edition(published, DAILY, None, "ada@example.org", THURSDAY).queued == 1
    assert (delivery(published).state, delivery(published).attempts) == ("deferred", 2)


@pytest.mark.parametrize("why", [PUT_BACK, f"{TOO_LATE}: 50 hours", "unsubscribed"])
def test_what_may_have_been_sent_needs_the_explicit_word(published, why):
    cancelled(published, why)
    uncertain = 1
    if why == "unsubscribed":
        with published.begin() as connection:
            settings.mark_restored(connection, THURSDAY + 2 * HOUR)
        uncertain = 3  # ben and carl, too, who have no delivery
    with published.begin() as connection:
        ada = subscribers.find(connection, "ada@example.org").id
        assert welcome(connection, [DAILY], ada, THURSDAY + 3 * HOUR) == 0
    for address, count in (("ada@example.org", 1), (None, uncertain)):
        sent = queue_edition(published, DAILY, None, address, THURSDAY + 3 * HOUR)
        assert (sent.had_it, sent.uncertain) == (0, count)
    assert delivery(published).state == "cancelled"
    sent = queue_edition(published, DAILY, None, "ada@example.org", THURSDAY + 3 * HOUR, uncertain=True)
    assert (sent.queued, sent.uncertain) == (1, 0)


def test_what_a_restored_database_may_have_forgotten_needs_the_explicit_word(published):
    with published.begin() as connection:
        settings.mark_restored(connection, THURSDAY + 2 * HOUR)
    subscribe(published, "cy", THURSDAY + 3 * HOUR)
    sent = queue_edition(published, DAILY, None, None, THURSDAY + 4 * HOUR)
    assert (sent.queued, sent.had_it, sent.uncertain) == (1, 1, 2)
    assert recipients(published) == ["ada", "cy"]
    sent = queue_edition(published, DAILY, None, "ben@example.org", THURSDAY + 4 * HOUR, uncertain=True)
    assert (sent.queued, sent.uncertain) == (1, 0)


def test_an_attempt_without_a_known_outcome_needs_the_explicit_word(published):
    cancelled(published, "unsubscribed", attempts=1)
    one = delivery(published)
    with published.begin() as connection:
        connection.execute(
            tables.attempts.insert().values(
                edition_id=one.edition_id,
                subscriber_id=one.subscriber_id,
                number=1,
                state=DeliveryState.AMBIGUOUS,
                at=THURSDAY,
            )
        )
    assert queue_edition(published, DAILY, None, "ada@example.org", THURSDAY + HOUR).uncertain == 1


def test_who_confirms_again_is_welcomed_with_the_edition_that_was_cancelled(published):
    cancelled(published, "unsubscribed")
    with published.begin() as connection:
        ada = subscribers.find(connection, "ada@example.org").id
        assert [welcome(connection, [DAILY], ada, THURSDAY + DAY) for _ in range(2)] == [1, 0]
    assert recipients(published) == ["ada"]


def test_a_failed_delivery_is_not_sent_again_by_it(published):
    with published.begin() as connection:
        failed = tables.deliveries.update().values(state=DeliveryState.FAILED, due_at=None, ended_at=THURSDAY)
        connection.execute(failed)
    assert queue_edition(published, DAILY, None, "ada@example.org", THURSDAY).had_it == 1
