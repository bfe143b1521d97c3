"""Whatever workers do, and however they die: nobody is sent to twice, unless the ledger lists it as possible."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from outbox import LEASE, edition, people, publish
from sqlalchemy import select, update
from stage import THURSDAY, paper, sighting

from digestmail.model import AmbiguousPolicy, Attempted, Delivery, DeliveryState, SubscriberState
from digestmail.pipeline import outcomes
from digestmail.pipeline.outcomes import Rules
from digestmail.storage import claims, deliveries, papers, schema, subscribers, unfinished
from digestmail.storage.database import Database

PEOPLE = 5
OPEN = {DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED}
MARGIN = timedelta(minutes=5)


class LedgerMachine(RuleBasedStateMachine):
    """Two workers' worth of rows, held, armed, on the wire and forgotten; `arrived` is what a server would have."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.connection = self.stack.enter_context(self.database.rehearsal())
        papers.add_sightings(self.connection, [sighting(n) for n in (1, 2)], THURSDAY)
        self.ids = people(self.connection, PEOPLE)
        publish(self.connection, edition(paper(1)), self.ids, segments=2)
        self.recipients = PEOPLE
        self.now = THURSDAY
        self.held: list[Delivery] = []
        self.armed: list[Delivery] = []
        self.wired: list[tuple[Delivery, DeliveryState]] = []
        self.arrived: Counter[tuple[int, int]] = Counter()
        self.recorded: Counter[tuple[int, int]] = Counter()
        self.resolved_as_sent = 0
        self.cancelled = 0

    def teardown(self) -> None:
        self.stack.close()

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
        armed = [one for one in batch if key_of(one) in keys]
        assert all(self._runs(one, MARGIN) for one in armed)
        self.armed += armed

    @precondition(lambda self: self.held)
    @rule(count=st.integers(1, 4))
    def give_back(self, count) -> None:
        """What is not sent is given back, as far as it is still this worker's to give."""
        batch, self.held = self.held[:count], self.held[count:]
        claims.record(self.connection, [(one, outcomes.given_back(one, self.now)) for one in batch], self.now)

    @precondition(lambda self: self.armed)
    @rule(state=st.sampled_from([DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.DEFERRED]))
    def send(self, state) -> None:
        """The server takes it or refuses it; the answer is on its way."""
        one = self.armed.pop(0)
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
        lost = claims.record(self.connection, [(one, result)], self.now)
        if twice:
            assert claims.record(self.connection, [(one, result)], self.now) == lost
        self.recorded[key_of(one)] += not lost and state is DeliveryState.SENT

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

    @precondition(lambda self: self.held)
    @rule(seconds=st.integers(-3, 1))
    def oversleep(self, seconds) -> None:
        """The leases run out, or nearly, under a worker that has not armed yet what it holds."""
        self.now += LEASE - MARGIN + timedelta(seconds=seconds)
        self.armed = [one for one in self.armed if self._runs(one)]

    @rule(seconds=st.integers(1, 120))
    def wait(self, seconds) -> None:
        self.now += timedelta(seconds=seconds)
        self.armed = [one for one in self.armed if self._runs(one)]

    def _runs(self, one: Delivery, margin: timedelta = timedelta(0)) -> bool:
        d = schema.deliveries.c
        due_at = self.connection.execute(
            select(d.due_at).where(d.edition_id == one.edition_id, d.subscriber_id == one.subscriber_id)
        ).scalar_one()
        return due_at is not None and due_at > self.now + margin

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

    @rule(number=st.integers(0, PEOPLE - 1), hours=st.one_of(st.none(), st.integers(1, 48)))
    def pause(self, number, hours) -> None:
        """Nothing before an hour, as the page for one's preferences does it; without an hour the pause ends."""
        until = None if hours is None else self.now + timedelta(hours=hours)
        subscribers.pause(self.connection, self.ids[number], until, self.now)
        if until is not None:
            deliveries.cancel(self.connection, self.ids[number], "paused", self.now, due_before=until)

    @rule(number=st.integers(0, PEOPLE - 1), digest=st.sampled_from([None, "daily", "another"]))
    def cancel(self, number, digest) -> None:
        on_the_wire = self._count(DeliveryState.SENDING)
        deliveries.cancel(self.connection, self.ids[number], "a test", self.now, digest=digest)
        assert self._count(DeliveryState.SENDING) == on_the_wire

    @rule(
        number=st.one_of(st.none(), st.integers(0, PEOPLE - 1)),
        slot=st.sampled_from(["2026-04-02", "2026-04-03"]),
        state=st.sampled_from([DeliveryState.SENT, DeliveryState.FAILED]),
    )
    def resolve(self, number, slot, state) -> None:
        """The operator looks into the server's log, and says what became of what may have arrived."""
        doubted = self._count(DeliveryState.AMBIGUOUS)
        one = None if number is None else self.ids[number]
        done = unfinished.resolve(self.connection, "daily", slot, one, state, self.now)
        assert self._count(DeliveryState.AMBIGUOUS) == doubted - done
        self.resolved_as_sent += done if state is DeliveryState.SENT else 0

    @rule(number=st.one_of(st.none(), st.integers(0, PEOPLE - 1)), slot=st.sampled_from(["2026-04-02", "2026-04-03"]))
    def retry(self, number, slot) -> None:
        over = self._count(DeliveryState.AMBIGUOUS) + self._count(DeliveryState.FAILED)
        one = None if number is None else self.ids[number]
        done = unfinished.retry(self.connection, "daily", slot, one, self.now)
        assert self._count(DeliveryState.AMBIGUOUS) + self._count(DeliveryState.FAILED) == over - done

    @rule()
    def make_due(self) -> None:
        """What waits after a refusal is due at once, and whoever held it holds it no more."""
        unfinished.make_due(self.connection, self.now)

    def _count(self, state: DeliveryState) -> int:
        return deliveries.counts(self.connection).get(state, 0)

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
        assert (deliveries.next_due(self.connection) is None) == (not OPEN & set(standing))


def key_of(one: Delivery) -> tuple[int, int]:
    return one.edition_id, one.subscriber_id


def test_the_ledger_keeps_its_promises(database):
    LedgerMachine.database = database
    # A statement takes PostgreSQL longer, and what it is to find are other errors than SQLite's only in their SQL.
    examples = 60 if database.dialect == "sqlite" else 25
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None)
    )
