"""Whatever workers do, and however they die: nobody is sent to twice, unless the ledger lists it as possible."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from outbox import LEASE, edition, people, publish
from sqlalchemy import select, update
from stage import THURSDAY, paper, sighting

from digestmail.model import AmbiguousPolicy, Attempted, Delivery, DeliveryState, SubscriberState
from digestmail.pipeline import outcomes
from digestmail.pipeline.outcomes import Rules
from digestmail.storage import claims, deliveries, papers, schema, subscribers
from digestmail.storage.database import Database

PEOPLE = 5
OPEN = {DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED}
MARGIN = timedelta(minutes=5)


class LedgerMachine(RuleBasedStateMachine):
    """Two workers' worth of rows, held, armed, on the wire and forgotten; `arrived` is what a server would have."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.database = Database.open(f"sqlite:///{self.template}", base=Path())
        self.connection = self.stack.enter_context(self.database.rehearsal())
        papers.add_sightings(self.connection, [sighting(n) for n in (1, 2)], THURSDAY)
        self.ids = people(self.connection, PEOPLE)
        publish(self.connection, edition(paper(1)), self.ids, segments=2)
        self.recipients = PEOPLE
        self.now = THURSDAY
        self.held: list[Delivery] = []
        self.armed: list[Delivery] = []
        self.wired: list[Delivery] = []
        self.arrived: Counter[tuple[int, int]] = Counter()
        self.recorded: Counter[tuple[int, int]] = Counter()

    def teardown(self) -> None:
        self.stack.close()
        self.database.close()

    @rule(limit=st.integers(1, 7), policy=st.sampled_from(AmbiguousPolicy))
    def claim(self, limit, policy) -> None:
        rules = Rules(give_up=timedelta(days=4), max_lateness=timedelta(days=30), ambiguous=policy)
        for one in claims.claim(self.connection, self.now, LEASE, limit):
            if one.state is DeliveryState.SENDING:
                left = outcomes.left_on_the_wire(rules, self.now)
                assert claims.record(self.connection, [(one, left)], self.now) == ()
            elif (end := outcomes.not_wanted(one, rules, self.now)) is not None:
                assert claims.record(self.connection, [(one, end)], self.now) == ()
            else:
                self.held.append(one)

    @precondition(lambda self: self.held)
    @rule(count=st.integers(1, 4))
    def arm(self, count) -> None:
        batch, self.held = self.held[:count], self.held[count:]
        keys = claims.arm(self.connection, batch, self.now + MARGIN)
        assert keys == claims.arm(self.connection, batch, self.now + MARGIN)
        self.armed += [one for one in batch if key_of(one) in keys]

    @precondition(lambda self: self.armed)
    @rule()
    def send(self) -> None:
        """The server takes it; the answer is on its way."""
        one = self.armed.pop(0)
        self.arrived[key_of(one)] += 1
        self.wired.append(one)

    @precondition(lambda self: self.wired)
    @rule(twice=st.booleans())
    def record_sent(self, twice) -> None:
        one = self.wired.pop(0)
        sent = Attempted(state=DeliveryState.SENT, code=250)
        lost = claims.record(self.connection, [(one, sent)], self.now)
        if twice:
            assert claims.record(self.connection, [(one, sent)], self.now) == lost
        self.recorded[key_of(one)] += not lost

    @precondition(lambda self: self.armed)
    @rule(state=st.sampled_from([DeliveryState.FAILED, DeliveryState.DEFERRED, DeliveryState.QUEUED]))
    def refused_or_given_back(self, state) -> None:
        one = self.armed.pop(0)
        match state:
            case DeliveryState.FAILED:
                result = Attempted(state=state, code=550)
            case DeliveryState.DEFERRED:
                due_at = self.now + timedelta(minutes=3)
                result = Attempted(state=state, code=451, due_at=due_at, kept=state)
            case _:
                result = outcomes.given_back(one, self.now)
        claims.record(self.connection, [(one, result)], self.now)

    @rule(answered=st.booleans())
    def crash(self, answered) -> None:
        """Everything a worker had in memory is gone; what was on the wire may have arrived or not."""
        if answered:
            self.arrived.update(key_of(one) for one in self.armed[:1])
        self.held, self.armed, self.wired = [], [], []

    @rule()
    def lapse(self) -> None:
        """The leases pass; a worker that is only slow still has what it had, and finds its fence raised."""
        self.now += LEASE
        # What was armed in time leaves in time: a message is not begun without the margin.
        self.held, self.armed = [], []

    @rule(seconds=st.integers(1, 120))
    def wait(self, seconds) -> None:
        self.now += timedelta(seconds=seconds)
        self.armed = [one for one in self.armed if self._runs(one)]

    def _runs(self, one: Delivery) -> bool:
        d = schema.deliveries.c
        due_at = self.connection.execute(
            select(d.due_at).where(d.edition_id == one.edition_id, d.subscriber_id == one.subscriber_id)
        ).scalar_one()
        return due_at is not None and due_at > self.now

    @rule(number=st.integers(0, PEOPLE - 1))
    def unsubscribe(self, number) -> None:
        subscribers.remove(self.connection, f"p{number}@example.org", self.now)

    @rule(number=st.integers(0, PEOPLE - 1))
    def suppress(self, number) -> None:
        s = schema.subscribers.c
        self.connection.execute(
            update(schema.subscribers).where(s.id == self.ids[number]).values(state=SubscriberState.SUPPRESSED)
        )
        deliveries.cancel(self.connection, self.ids[number], "suppressed", self.now)

    @precondition(lambda self: self.recipients == PEOPLE)
    @rule()
    def enqueue(self) -> None:
        publish(self.connection, edition(paper(2), key="2026-04-03"), self.ids)
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
    def nobody_is_sent_to_twice_but_who_is_listed(self) -> None:
        listed = self._listed()
        for key, count in self.arrived.items():
            assert count <= 1 + listed[key]

    @invariant()
    def what_arrived_is_recorded_or_listed(self) -> None:
        listed = self._listed()
        assert all(self.recorded[key] + listed[key] >= 1 for key in self.arrived)

    @invariant()
    def the_accounts_close(self) -> None:
        standing = deliveries.counts(self.connection)
        assert sum(standing.values()) == self.recipients
        assert sum(self.recorded.values()) == standing.get(DeliveryState.SENT, 0)
        assert max(self.recorded.values(), default=0) <= 1
        assert (deliveries.next_due(self.connection) is None) == (not OPEN & set(standing))


def key_of(one: Delivery) -> tuple[int, int]:
    return one.edition_id, one.subscriber_id


@pytest.mark.usefixtures("sqlite_template")
def test_the_ledger_keeps_its_promises(sqlite_template):
    from hypothesis.stateful import run_state_machine_as_test

    LedgerMachine.template = sqlite_template
    run_state_machine_as_test(LedgerMachine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))
