"""Whatever workers do, and however they die: nobody is sent to twice, unless the ledger lists it as possible."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from fakes import THURSDAY, paper, sighting
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from outbox import LEASE, edition, people, publish
from sqlalchemy import Row, select, update

from digestmail.delivery import outcomes
from digestmail.delivery.outcomes import Rules
from digestmail.model.deliveries import AmbiguousPolicy, Attempted, ClaimedMessage, Delivery, DeliveryState, Unfinished
from digestmail.model.subscribers import SubscriberState
from digestmail.storage import claims, deliveries, delivery_admin, due_times, papers, schema, subscribers
from digestmail.storage.database import Database

PEOPLE = 5
FICKLE = range(2)
"""Those of them who may want no more; the others keep it going."""
SLOTS = tuple(f"2026-04-{day:02}" for day in range(2, 10))
OPEN = {DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED}
MARGIN = timedelta(minutes=5)


def at_work(machine: LedgerMachine) -> bool:
    """Return whether a worker has something in hand: elsewhere most of what happens would happen to nothing."""
    return bool(machine.held or machine.intended or machine.wired)


class LedgerMachine(RuleBasedStateMachine):
    """Two workers' worth of rows, held, armed, on the wire and forgotten; `arrived` is what a server would have."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.connection = self.stack.enter_context(self.database.begin_dry_run())
        papers.add_sightings(self.connection, [sighting(n) for n in (1, 2)], THURSDAY)
        self.ids = people(self.connection, PEOPLE)
        publish(self.connection, edition(paper(1)), self.ids, segments=2)
        self.recipients = PEOPLE
        self.now = THURSDAY
        self.held: list[Delivery] = []
        self.intended: list[Delivery] = []
        self.wired: list[tuple[Delivery, DeliveryState]] = []
        self.arrived: Counter[tuple[int, int]] = Counter()
        self.recorded: Counter[tuple[int, int]] = Counter()
        self.resolved_as_sent = 0
        self.cancelled = 0

    def teardown(self) -> None:
        self.stack.close()

    @rule(limit=st.integers(1, 7), policy=st.sampled_from(AmbiguousPolicy), at_once=st.booleans())
    def claim(self, limit, policy, at_once) -> None:
        rules = Rules(give_up=timedelta(days=4), max_lateness=timedelta(days=30), ambiguous=policy)
        for one in claims.claim(self.connection, self.now, LEASE, limit):
            if one.state is DeliveryState.SENDING:
                left = outcomes.after_worker_crash(rules, self.now)
                assert claims.record(self.connection, [(one, left)], self.now) == ()
            elif (end := outcomes.no_longer_eligible(one, rules, self.now)) is not None:
                assert claims.record(self.connection, [(one, end)], self.now) == ()
            else:
                self.held.append(one)
        if at_once and self.held:
            self.record_intent(len(self.held))

    @precondition(lambda self: self.held)
    @rule(count=st.integers(1, 4))
    def arm_some(self, count) -> None:
        self.record_intent(count)

    def record_intent(self, count) -> None:
        batch, self.held = self.held[:count], self.held[count:]
        theirs = {one.claim for one in batch if self._row(one).fence == one.fence}
        keys = claims.record_intent(self.connection, batch, self.now + MARGIN)
        assert keys <= theirs
        assert keys == claims.record_intent(self.connection, batch, self.now + MARGIN)
        intended = [one for one in batch if one.claim in keys]
        assert all(self._runs(one, MARGIN) for one in intended)
        self.intended += intended

    @precondition(lambda self: self.held)
    @rule(count=st.integers(1, 4))
    def give_back(self, count) -> None:
        """What is not sent is given back, as far as it is still this worker's to give."""
        batch, self.held = self.held[:count], self.held[count:]
        for one in batch:
            self._write(one, outcomes.released(one, self.now))

    def _write(self, one: Delivery, result: Attempted) -> tuple[ClaimedMessage, ...]:
        """Record a result; who holds the delivery no more changes nothing."""
        before = self._row(one)
        lost = claims.record(self.connection, [(one, result)], self.now)
        if before.fence != one.fence or before.due_at is None:
            assert self._row(one) == before
        if before.fence != one.fence:
            assert lost == (one,)
        return lost

    @precondition(lambda self: self.intended)
    @rule(state=st.sampled_from([DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.DEFERRED]))
    def send(self, state) -> None:
        """The server takes it or refuses it; the answer is on its way."""
        one = self.intended.pop(0)
        self.arrived[key_of(one)] += state is DeliveryState.SENT
        self.wired.append((one, state))

    @precondition(lambda self: self.wired)
    @rule(twice=st.booleans())
    def record(self, twice) -> None:
        one, state = self.wired.pop(0)
        match state:
            case DeliveryState.SENT:
                result = Attempted(state=state, code=250)
            case DeliveryState.FAILED:
                result = Attempted(state=state, code=550)
            case _:
                due_at = self.now + timedelta(minutes=3)
                result = Attempted(state=state, code=451, due_at=due_at, kept=state)
        lost = self._write(one, result)
        if twice:
            assert claims.record(self.connection, [(one, result)], self.now) == lost
        self.recorded[key_of(one)] += not lost and state is DeliveryState.SENT

    @precondition(at_work)
    @rule(answered=st.booleans())
    def crash(self, answered) -> None:
        """Everything a worker had in memory is gone; what was on the wire may have arrived or not."""
        if answered:
            self.arrived.update(key_of(one) for one in self.intended[:1])
        self.held, self.intended, self.wired = [], [], []

    @precondition(at_work)
    @rule(span=st.sampled_from([timedelta(seconds=9), LEASE - MARGIN - timedelta(seconds=1), LEASE - MARGIN, LEASE]))
    def time_passes(self, span) -> None:
        """Under a worker that is only slow leases run out, or nearly; it still has what it had."""
        self.now += span
        # What was armed in time leaves in time: a message is not begun without the margin.
        self.intended = [one for one in self.intended if self._runs(one)]

    @precondition(at_work)
    @rule(policy=st.sampled_from(AmbiguousPolicy), at_once=st.booleans())
    def another_takes_over(self, policy, at_once) -> None:
        """The first worker goes on all the same, when it gets round to it."""
        self.time_passes(LEASE)
        self.claim(7, policy, at_once)

    def _runs(self, one: Delivery, margin: timedelta = timedelta(0)) -> bool:
        due_at = self._row(one).due_at
        return due_at is not None and due_at > self.now + margin

    def _row(self, one: Delivery) -> Row[Any]:
        d = schema.deliveries.c
        return self.connection.execute(
            select(schema.deliveries).where(d.edition_id == one.edition_id, d.subscriber_id == one.subscriber_id)
        ).one()

    # Many ways to do nearly the same: together they are one rule, lest soon nothing is left to send.

    @precondition(at_work)
    @rule(
        how=st.sampled_from(["unsubscribe", "suppress", "pause", "go on", "cancel", "cancel another digest's"]),
        number=st.sampled_from(FICKLE),
    )
    def a_person_wants_no_more(self, how, number) -> None:
        on_the_wire, id_ = self._count(DeliveryState.SENDING), self.ids[number]
        match how:
            case "unsubscribe":
                subscribers.remove(self.connection, f"p{number}@example.org", self.now)
            case "suppress":
                s = schema.subscribers.c
                self.connection.execute(
                    update(schema.subscribers).where(s.id == id_).values(state=SubscriberState.SUPPRESSED)
                )
                deliveries.cancel(self.connection, id_, "suppressed", self.now)
            case "pause":
                subscribers.pause(self.connection, id_, self.now + timedelta(hours=1), self.now)
            case "go on":
                subscribers.pause(self.connection, id_, None, self.now)
            case "cancel":
                deliveries.cancel(self.connection, id_, "a test", self.now)
            case _:
                assert deliveries.cancel(self.connection, id_, "a test", self.now, digest="another") == 0
        # What is on the wire is left to its worker.
        assert self._count(DeliveryState.SENDING) == on_the_wire

    @precondition(lambda self: at_work(self) or self._count(DeliveryState.AMBIGUOUS))
    @rule(
        how=st.sampled_from(["as sent", "as failed", "again", "what is put off"]),
        number=st.one_of(st.none(), st.integers(0, PEOPLE - 1)),
        slot=st.sampled_from(SLOTS),
    )
    def the_operator_decides(self, how, number, slot) -> None:
        over = self._count(DeliveryState.AMBIGUOUS) + self._count(DeliveryState.FAILED)
        one = None if number is None else self.ids[number]
        match how:
            case "as sent":
                done = delivery_admin.resolve(self.connection, "daily", slot, one, DeliveryState.SENT, self.now)
                self.resolved_as_sent += done
            case "as failed":
                delivery_admin.resolve(self.connection, "daily", slot, one, DeliveryState.FAILED, self.now)
                done = 0
            case "again":
                done = delivery_admin.retry(
                    self.connection, Unfinished(digest="daily", slot=slot, subscriber_id=one), self.now
                )
            case _:
                delivery_admin.make_due(self.connection, self.now)
                done = 0
        assert self._count(DeliveryState.AMBIGUOUS) + self._count(DeliveryState.FAILED) == over - done

    def _count(self, state: DeliveryState) -> int:
        return deliveries.counts(self.connection).get(state, 0)

    @precondition(lambda self: self.recipients < len(SLOTS) * PEOPLE and not at_work(self))
    @rule()
    def enqueue(self) -> None:
        publish(self.connection, edition(key=SLOTS[self.recipients // PEOPLE], reason="a test"), self.ids)
        self.recipients += PEOPLE

    def _listed(self) -> Counter[tuple[int, int]]:
        """How many times each delivery is listed as one that may have arrived."""
        a, d = schema.attempts.c, schema.deliveries.c
        return Counter(
            (row.edition_id, row.subscriber_id)
            for row in self.connection.execute(
                select(a.edition_id, a.subscriber_id).where(a.state == DeliveryState.AMBIGUOUS)
            )
        ) + Counter(
            (row.edition_id, row.subscriber_id)
            for row in self.connection.execute(
                select(d.edition_id, d.subscriber_id).where(d.state == DeliveryState.SENDING)
            )
        )

    @invariant()
    def ambiguous_deliveries_are_found_through_their_attempts(self) -> None:
        ambiguous = DeliveryState.AMBIGUOUS
        assert deliveries.open_counts(self.connection).get(ambiguous, 0) == self._count(ambiguous)

    @invariant()
    def nobody_is_sent_to_twice_but_who_is_listed(self) -> None:
        listed = self._listed()
        for key, count in self.arrived.items():
            assert count <= 1 + listed[key]

    @invariant()
    def what_arrived_is_recorded_or_listed(self) -> None:
        listed = self._listed()
        assert all(self.recorded[key] + listed[key] >= 1 for key, count in self.arrived.items() if count)

    @invariant()
    def what_was_cancelled_stays_so(self) -> None:
        before, self.cancelled = self.cancelled, self._count(DeliveryState.CANCELLED)
        assert self.cancelled >= before

    @invariant()
    def the_accounts_close(self) -> None:
        standing = deliveries.counts(self.connection)
        assert sum(standing.values()) == self.recipients
        assert sum(self.recorded.values()) + self.resolved_as_sent == standing.get(DeliveryState.SENT, 0)
        assert max(self.recorded.values(), default=0) <= 1
        assert (due_times.next_due(self.connection) is None) == (not OPEN & set(standing))


def key_of(one: Delivery) -> tuple[int, int]:
    return one.edition_id, one.subscriber_id


@pytest.mark.slow
def test_the_outbox_keeps_its_promises(database):
    LedgerMachine.database = database
    # A statement takes PostgreSQL longer, and what it is to find are other errors than SQLite's only in their SQL.
    examples = 60 if database.dialect == "sqlite" else 15
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=examples, stateful_step_count=50, deadline=None)
    )
