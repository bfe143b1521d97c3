"""Sources, host limits, settings, subscribers, editions, deliveries."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import THURSDAY, digest, paper, reading, sighting
from outbox import part_of

from digestmail.errors import StorageError
from digestmail.model.deliveries import Attempted, DeliveryState
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Signals, Validators
from digestmail.model.selection import Entry, Score
from digestmail.model.subscribers import SubscriberState, Subscription
from digestmail.storage import (
    audience,
    claims,
    deliveries,
    due_times,
    editions,
    papers,
    received,
    settings,
    sources,
    subscribers,
)
from digestmail.storage import schema as tables
from digestmail.storage.database import Database
from digestmail.storage.host_limits import StoredHostLimits, forget_idle

LEASE = timedelta(minutes=15)


def twin(database: Database) -> Database:
    return Database.open(database.engine.url.render_as_string(hide_password=False), base=Path())


def edition(*numbers: int, name: str = "daily", key: str = "2026-04-02", reason: str = "") -> Edition:
    entries = tuple(
        Entry(paper=paper(n), signals=Signals(upvotes=n), score=Score(total=1.0 / n), rank=rank)
        for rank, n in enumerate(numbers, start=1)
    )
    return Edition(
        digest=name,
        slot=Slot(at=THURSDAY, key=key, day=THURSDAY.date()),
        title="Trending papers",
        byline="by us",
        composed_at=THURSDAY,
        entries=entries,
        considered=len(numbers),
        reason=reason,
    )


@pytest.fixture
def connection(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(n) for n in range(1, 6)], THURSDAY)
        yield connection


def people(connection, count: int, name: str = "daily", *topics: str) -> list[int]:
    found = []
    for number in range(count):
        found.append(subscribers.add(connection, f"p{number}@example.org", THURSDAY))
        subscribers.subscribe(connection, found[-1], Subscription(digest=name, topics=topics), THURSDAY)
    return found


# -- sources, host limits, settings --------------------------------------------------------------------------------


def test_stored_data_about_a_source(connection):
    assert sources.read_state(connection, "hf") is None
    sources.record_reading(connection, reading(), THURSDAY, complete=True)
    sources.record_reading(connection, reading(), THURSDAY + LEASE, complete=False)
    state = sources.read_state(connection, "hf")
    assert (state.read_at, state.complete_at) == (THURSDAY + LEASE, THURSDAY)
    assert sources.find_validators(connection, "hf", "https://example.org/hf", THURSDAY + LEASE).etag == '"1"'
    later = THURSDAY + timedelta(days=90)
    sources.record_reading(connection, reading(source="other"), later, complete=True)
    assert sources.find_validators(connection, "hf", "https://example.org/hf", later).etag is None


def test_not_modified_is_trusted_for_a_week_after_the_full_document(connection):
    url, day = "https://example.org/hf", timedelta(days=1)
    unchanged = replace(reading(), validators={url: Validators(etag='"1"', unchanged=True)})

    def tag(now):
        return sources.find_validators(connection, "hf", url, now).etag

    sources.record_reading(connection, reading(), THURSDAY, complete=True)
    for later in range(1, 8):
        assert tag(THURSDAY + later * day - LEASE) == '"1"'
        sources.record_reading(connection, unchanged, THURSDAY + later * day - LEASE, complete=True)
    assert tag(THURSDAY + 7 * day) is None
    sources.record_reading(connection, reading(), THURSDAY + 7 * day, complete=True)
    assert tag(THURSDAY + 13 * day) == '"1"'


def test_a_back_fill_does_not_set_a_source_back_and_validators_are_its_own(connection):
    sources.record_reading(connection, reading(), THURSDAY, complete=True)
    sources.record_reading(connection, reading(), THURSDAY - LEASE, complete=True)
    state = sources.read_state(connection, "hf")
    assert (state.read_at, state.complete_at) == (THURSDAY, THURSDAY)
    assert sources.find_validators(connection, "twin", "https://example.org/hf", THURSDAY + LEASE).etag is None


def test_a_host_s_gate_spaces_the_requests_of_all_processes(database):
    limits, others = StoredHostLimits(database), StoredHostLimits(twin(database))
    booked = []

    def ask(limit: StoredHostLimits) -> None:
        booked.extend(limit.reserve("arxiv.org", THURSDAY, 3.0) for _ in range(10))

    threads = [threading.Thread(target=ask, args=(limit,)) for limit in (limits, others, limits)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(booked) == [THURSDAY + timedelta(seconds=3 * n) for n in range(30)]
    assert limits.reserve("huggingface.co", THURSDAY, 1.0) == THURSDAY
    others._database.close()


def test_a_blocked_host_is_available_again_after_its_retry_after(database):
    limits = StoredHostLimits(database)
    limits.block("arxiv.org", THURSDAY + timedelta(minutes=10))
    limits.block("arxiv.org", THURSDAY + timedelta(minutes=5))
    assert limits.reserve("arxiv.org", THURSDAY, 3.0) == THURSDAY + timedelta(minutes=10)
    later = THURSDAY + timedelta(hours=1)
    assert limits.reserve("arxiv.org", later, 3.0) == later


def test_the_limits_of_hosts_are_forgotten_a_day_after_they_end(database):
    limits = StoredHostLimits(database)
    limits.reserve("old.example.org", THURSDAY, 3.0)
    limits.block("blocked.example.org", THURSDAY + timedelta(days=1))
    next_day = THURSDAY + timedelta(hours=25)
    limits.reserve("new.example.org", next_day - timedelta(hours=2), 3.0)
    with database.begin() as connection:
        assert forget_idle(connection, THURSDAY + timedelta(hours=23)) == 0
        assert forget_idle(connection, next_day) == 1
        hosts = set(connection.execute(tables.host_limits.select()).scalars())
    assert hosts == {"blocked.example.org", "new.example.org"}
    assert limits.reserve("old.example.org", next_day, 3.0) == next_day


def test_requests_to_the_operators_own_hosts_are_not_spaced_out(database):
    limits = StoredHostLimits(database, own_hosts=frozenset({"mirror.lan"}))
    assert {limits.reserve("mirror.lan", THURSDAY, 3.0) for _ in range(3)} == {THURSDAY}


def test_a_host_limit_written_with_a_wrong_clock_is_ignored(database):
    limits = StoredHostLimits(database)
    limits.reserve("arxiv.org", THURSDAY + timedelta(days=400), 3.0)
    assert limits.reserve("arxiv.org", THURSDAY, 3.0) == THURSDAY


def test_the_secret_is_created_once(connection):
    made = iter(["first", "second"])
    assert settings.secret(connection, lambda: next(made)) == "first"
    assert settings.secret(connection, lambda: next(made)) == "first"


# -- subscribers ---------------------------------------------------------------------------------------------------


def test_a_subscriber_is_one_address_with_subscriptions(connection):
    first = subscribers.add(connection, "a@example.org", THURSDAY)
    assert subscribers.add(connection, "a@example.org", THURSDAY) == first
    subscribers.subscribe(connection, first, Subscription(digest="daily"), THURSDAY)
    subscribers.subscribe(connection, first, Subscription(digest="daily", topics=("Agents",)), THURSDAY)
    found = subscribers.find(connection, "a@example.org")
    assert found.state is SubscriberState.ACTIVE
    assert found.subscriptions == (Subscription(digest="daily", topics=("Agents",)),)
    assert subscribers.find(connection, "b@example.org") is None


def test_unsubscribed_people_can_return_but_suppressed_people_cannot(connection):
    from sqlalchemy import text

    subscribers.add(connection, "a@example.org", THURSDAY)
    assert subscribers.remove(connection, "a@example.org", THURSDAY)
    assert subscribers.find(connection, "a@example.org").state is SubscriberState.UNSUBSCRIBED
    subscribers.add(connection, "a@example.org", THURSDAY)
    assert subscribers.find(connection, "a@example.org").state is SubscriberState.ACTIVE
    connection.execute(text("UPDATE subscribers SET state = 'suppressed'"))
    subscribers.add(connection, "a@example.org", THURSDAY)
    assert subscribers.remove(connection, "a@example.org", THURSDAY)
    assert subscribers.find(connection, "a@example.org").state is SubscriberState.SUPPRESSED
    assert not subscribers.remove(connection, "nobody@example.org", THURSDAY)


def test_what_people_chose_is_summed_up(connection):
    people(connection, 3, "daily", "Agents")
    subscribers.subscribe(connection, 1, Subscription(digest="gone"), THURSDAY)
    subscribers.remove(connection, "p2@example.org", THURSDAY)
    assert audience.count_choices(connection) == (
        audience.ChoiceCount(digest="daily", topics=("Agents",), people=2),
        audience.ChoiceCount(digest="gone", topics=(), people=1),
    )


def test_lists_are_read_in_pages_without_losing_anybody(connection, monkeypatch):
    monkeypatch.setattr(subscribers, "_CHUNK", 3)
    ids = people(connection, 7, "daily", "Agents")
    assert [s.id for s in subscribers.list_subscribers(connection)] == ids
    assert [
        (i, wanted.topics) for i, wanted in audience.wanted_by(connection, audience.Audience(digest="daily"), THURSDAY)
    ] == [(i, ("Agents",)) for i in ids]
    subscribers.remove(connection, "p3@example.org", THURSDAY)
    assert [i for i, _ in audience.wanted_by(connection, audience.Audience(digest="daily"), THURSDAY)] == ids[:3] + ids[
        4:
    ]
    assert [s.id for s in subscribers.list_subscribers(connection, digest="daily")] == ids[:3] + ids[4:]
    gone = subscribers.list_subscribers(connection, state=SubscriberState.UNSUBSCRIBED)
    assert [s.address for s in gone] == ["p3@example.org"]


# -- editions ------------------------------------------------------------------------------------------------------


def test_a_stored_edition_is_read_back_unchanged(connection):
    whole = edition(3, 1, 2)
    edition_id = editions.add(connection, whole)
    assert editions.get(connection, "daily", "2026-04-02") == editions.StoredEdition(id=edition_id, edition=whole)
    assert editions.get_by_id(connection, edition_id).edition == whole
    assert editions.get(connection, "daily", "2026-04-03") is None
    with pytest.raises(StorageError):
        editions.get_by_id(connection, 99)


def test_a_slot_is_published_once_but_an_empty_day_can_be_replaced(connection):
    empty = editions.add(connection, edition(reason="weekend"))
    assert editions.add(connection, edition(reason="weekend")) is None
    assert editions.add(connection, edition(reason="still nothing")) == empty
    assert editions.add(connection, edition(1)) == empty
    assert editions.add(connection, edition(2)) is None
    assert [len(e.edition.entries) for e in editions.list_editions(connection)] == [1]


def test_a_digest_cannot_publish_a_paper_twice(database, connection):
    editions.add(connection, edition(1))
    with pytest.raises(StorageError, match="twice"):
        editions.add(connection, edition(1, key="2026-04-03"))


def test_the_last_edition_is_the_last_that_had_papers(connection):
    editions.add(connection, edition(1))
    editions.add(connection, edition(key="2026-04-03", reason="holiday"))
    assert editions.latest(connection, "daily").edition.slot.key == "2026-04-02"
    assert editions.latest(connection, "daily", before=THURSDAY) is None
    assert editions.latest(connection, "weekly") is None
    assert len(editions.list_editions(connection, digest="daily")) == 2


def test_segments_show_which_papers_each_subscriber_received(connection, monkeypatch):
    monkeypatch.setattr(received, "_CHUNK", 3)
    ids = people(connection, 5)
    published = edition(1, 2, 3)
    first = editions.add(connection, published)
    some = editions.add_segment(connection, first, ["Agents"], part_of(published, 1, 3))
    every = editions.add_segment(connection, first, [], part_of(published, 1, 2, 3))
    assert editions.segment(connection, some).paper_ids == (paper(1).id, paper(3).id)
    assert editions.segment(connection, some).topics == ("Agents",)
    deliveries.enqueue(connection, [(i, some if i % 2 else every, THURSDAY) for i in ids], first)
    before = received.earlier(connection, [paper(2).id, paper(3).id], digest("weekly"))
    assert before.segments == {some: frozenset({paper(3).id}), every: frozenset({paper(2).id, paper(3).id})}
    expected = [(i, before.segments[some if i % 2 else every]) for i in ids]
    assert list(received.of_everyone(connection, before)) == expected
    assert [(i, received.of(connection, i, before)) for i in ids] == expected
    nothing = received.earlier(connection, [paper(2).id], digest("daily"))
    assert nothing.segments == {}
    assert list(received.of_everyone(connection, nothing)) == []


# -- deliveries ----------------------------------------------------------------------------------------------------


@pytest.fixture
def outbox(connection):
    ids = people(connection, 10)
    edition_id = editions.add(connection, edition(1))
    segment_id = editions.add_segment(connection, edition_id, [], part_of(edition(1), 1))
    assert deliveries.enqueue(connection, [(i, segment_id, THURSDAY) for i in ids], edition_id) == 10
    return connection


def test_a_claim_hands_every_row_out_once(outbox):
    first = claims.claim(outbox, THURSDAY, LEASE, 6)
    second = claims.claim(outbox, THURSDAY, LEASE, 6)
    assert len({d.subscriber_id for d in first + second}) == 10
    assert claims.claim(outbox, THURSDAY, LEASE, 6) == ()
    assert {(d.attempts, d.fence, d.wanted) for d in first} == {(1, 1, True)}
    assert due_times.next_due(outbox) == THURSDAY + LEASE


def test_a_worker_that_claims_a_delivery_twice_sends_it_once(outbox):
    old = claims.claim(outbox, THURSDAY, LEASE, 20)
    new = claims.claim(outbox, THURSDAY + LEASE, LEASE, 20)
    assert [one.subscriber_id for one in old] == [one.subscriber_id for one in new]
    for both in ([*old, *new], [*new, *old]):
        assert claims.record_intent(outbox, both, THURSDAY + LEASE) == {one.claim for one in new}


def test_only_the_holder_of_the_fence_records(outbox):
    (late,) = claims.claim(outbox, THURSDAY, LEASE, 1)
    assert claims.record_intent(outbox, [late], THURSDAY) == {late.claim}
    again = claims.claim(outbox, THURSDAY + LEASE, LEASE, 20)
    mine = next(d for d in again if d.subscriber_id == late.subscriber_id)
    assert (mine.attempts, mine.fence, mine.state) == (1, 2, DeliveryState.SENDING)
    sent = Attempted(state=DeliveryState.SENT, code=250, text="ok")
    assert claims.record(outbox, [(late, sent)], THURSDAY) == (late,)
    assert claims.record(outbox, [(mine, sent)], THURSDAY) == ()
    assert claims.record(outbox, [(late, sent)], THURSDAY) == (late,)
    refused = Attempted(state=DeliveryState.FAILED, code=550, text="no")
    assert claims.record(outbox, [(mine, refused)], THURSDAY) == (mine,)
    assert deliveries.counts(outbox) == {DeliveryState.SENT: 1, DeliveryState.QUEUED: 9}


def test_a_record_whose_commit_was_not_heard_of_can_be_written_again(outbox):
    claimed = claims.claim(outbox, THURSDAY, LEASE, 3)
    for _ in range(2):
        assert len(claims.record_intent(outbox, claimed, THURSDAY)) == 3
    results = [(one, Attempted(state=DeliveryState.SENT, code=250)) for one in claimed]
    for _ in range(2):
        assert claims.record(outbox, results, THURSDAY) == ()
    assert claims.record_intent(outbox, claimed, THURSDAY) == frozenset()
    assert deliveries.counts(outbox) == {DeliveryState.SENT: 3, DeliveryState.QUEUED: 7}


def test_only_intended_deliveries_may_be_transmitted(outbox):
    claimed = claims.claim(outbox, THURSDAY, LEASE, 10)
    assert deliveries.counts(outbox) == {DeliveryState.QUEUED: 10}
    claims.record_intent(outbox, claimed[:4], THURSDAY)
    assert deliveries.counts(outbox) == {DeliveryState.QUEUED: 6, DeliveryState.SENDING: 4}
    assert claims.record_intent(outbox, claimed[4:], THURSDAY + LEASE) == frozenset()


def test_released_deliveries_were_never_attempted(outbox):
    claimed = claims.claim(outbox, THURSDAY, LEASE, 10)
    claims.record_intent(outbox, claimed[:5], THURSDAY)
    back = Attempted(state=DeliveryState.QUEUED, due_at=THURSDAY, begun=False)
    assert claims.record(outbox, [(one, back) for one in claimed], THURSDAY) == ()
    assert deliveries.counts(outbox) == {DeliveryState.QUEUED: 10}
    assert {d.attempts for d in claims.claim(outbox, THURSDAY, LEASE, 10)} == {1}


def test_a_deferred_delivery_waits_for_its_time(outbox):
    deferred = Attempted(state=DeliveryState.DEFERRED, code=451, text="later", due_at=THURSDAY + timedelta(hours=1))
    claimed = claims.claim(outbox, THURSDAY, LEASE, 10)
    assert claims.record(outbox, [(one, deferred) for one in claimed], THURSDAY) == ()
    assert claims.claim(outbox, THURSDAY + timedelta(minutes=59), LEASE, 10) == ()
    assert {d.attempts for d in claims.claim(outbox, THURSDAY + timedelta(hours=1), LEASE, 10)} == {2}


def test_workers_in_two_processes_share_the_outbox_without_a_row_going_twice(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1)], THURSDAY)
        ids = people(connection, 200)
        edition_id = editions.add(connection, edition(1))
        segment_id = editions.add_segment(connection, edition_id, [], part_of(edition(1), 1))
        deliveries.enqueue(connection, [(i, segment_id, THURSDAY) for i in ids], edition_id)
    claimed: list[int] = []

    def work() -> None:
        own = twin(database)
        while True:
            with own.begin() as connection:
                batch = claims.claim(connection, THURSDAY, LEASE, 7)
            if not batch:
                break
            claimed.extend(d.subscriber_id for d in batch)
        own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == ids
