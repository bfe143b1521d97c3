"""Two workers on one database: what limits a relay or a domain limits them together, and nobody goes short."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import combinations_with_replacement
from pathlib import Path
from random import Random
from threading import Condition

import pytest
from crash_worker import PlainMessages
from fakes import THURSDAY, FakeClock, FakeTransport
from receiving import receiver
from sqlalchemy import select, text
from worker_fixture import both, fill, listed, smtp, standing, worker

from digestmail.delivery import intake
from digestmail.delivery.claim_policy import ClaimPolicy
from digestmail.delivery.pacing import DomainLimit, DomainLimits
from digestmail.errors import TransportError
from digestmail.storage import due_times, rates
from digestmail.storage.database import Database
from digestmail.storage.schema import rates as rates_table
from digestmail.text.addresses import domain_of
from digestmail.transports.base import Receipt

WORKERS = 2


class Day:
    """The time two workers share: it goes on when both sleep and nothing that was let go is still on its way."""

    def __init__(self) -> None:
        self.time = THURSDAY
        self.on_their_way = 0
        self._changed = Condition()
        self._sleeping: dict[int, datetime] = {}
        self._awake = set(range(WORKERS))

    def let_go(self, count: int) -> None:
        with self._changed:
            self.on_their_way += count
            self._go_on()

    def ends(self, number: int) -> None:
        with self._changed:
            self._awake.discard(number)
            self._go_on()

    def sleep(self, number: int, seconds: float) -> None:
        with self._changed:
            until = self.time + timedelta(seconds=seconds)
            self._sleeping[number] = until
            self._go_on()
            assert self._changed.wait_for(lambda: self.time >= until, timeout=20)
            del self._sleeping[number]

    def _go_on(self) -> None:
        if not self.on_their_way and self._awake and self._awake <= set(self._sleeping):
            self.time = min(self._sleeping[number] for number in self._awake)
            self._changed.notify_all()


class Clock:
    """One worker's view of the day."""

    def __init__(self, day: Day, number: int) -> None:
        self._day, self._number = day, number

    def now(self) -> datetime:
        return self._day.time

    def monotonic(self) -> float:
        return self._day.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self._day.sleep(self._number, seconds)


class Noting(PlainMessages):
    """Notes when each message went to the wire."""

    def __init__(self) -> None:
        super().__init__(520)
        self.went: list[tuple[datetime, str]] = []

    def write(self, delivery, now):
        self.went.append((now, domain_of(delivery.address)))
        return super().write(delivery, now)


@pytest.fixture
def together(database_url, tmp_path, monkeypatch):
    """Have two workers deliver; return their reports and the day they did it in."""
    monkeypatch.setattr(intake, "FIRST_CLAIM", 4)
    monkeypatch.setattr(intake, "MOST_CLAIMED", 4)
    databases = [Database.open(database_url, base=Path()) for _ in range(WORKERS)]

    def together(composer, limits, **relay):
        day = Day()
        real = ClaimPolicy.triage

        def triage(*args):
            found = real(*args)
            day.let_go(len(found.go))
            return found

        monkeypatch.setattr(ClaimPolicy, "triage", triage)

        def work(number: int):
            one = worker(
                databases[number],
                [smtp(**relay)],
                Clock(day, number),
                tmp_path / "epoch",
                composers=both(composer),
                limits=limits,
                random=Random(number),
                progress=lambda _: day.let_go(-1),
            )
            try:
                return one.deliver()
            finally:
                day.ends(number)

        with ThreadPoolExecutor(WORKERS) as threads:
            return list(threads.map(work, range(WORKERS))), day

    yield together
    for database in databases:
        database.close()


def most_beyond(rate: float, moments: list[datetime]) -> float:
    """Return by how many messages at most a stretch of time had more than `rate` a second.

    A second's worth may go at once, and one besides.
    """
    moments = sorted(moments)
    return max(
        last - first + 1 - rate * ((moments[last] - moments[first]).total_seconds() + 1) - 1
        for first, last in combinations_with_replacement(range(len(moments)), 2)
    )


def test_two_workers_together_keep_to_every_rate_and_number_of_connections(database, together, caplog):
    people, rate, slow = 60, 6.0, 1.0
    fill(database, people, domains=("slow.example", "quick.example", "example.org"))
    limits = DomainLimits(domains={"slow.example": DomainLimit(messages_per_second=slow, connections=1)})
    composer = Noting()
    with receiver("body", "dot") as server:
        reports, day = together(composer, limits, port=server.port, messages_per_second=rate)
        assert sorted(server.arrived.values()) == [1] * people
        # A worker has one connection in any case.
        assert 1 < server.most[""] <= 3 + WORKERS - 1
        assert server.most["slow.example"] <= 1 + WORKERS - 1
    assert all(report.sent for report in reports)
    assert sum(report.sent for report in reports) == people
    assert len(composer.went) == people
    assert most_beyond(rate, [moment for moment, _ in composer.went]) <= 0
    assert most_beyond(slow, [moment for moment, domain in composer.went if domain == "slow.example"]) <= 0
    assert people / 3 / slow - 2 <= (day.time - THURSDAY).total_seconds() <= people / 3 / slow + 20
    assert (standing(database), listed(database)) == ({"sent": people}, {})
    assert "the outbox writer retries" not in caplog.text


def test_two_transactions_that_use_the_same_rates_in_two_orders_do_not_wait_for_each_other(postgresql_url):
    """One slows the relay down and then books for a domain, while the other books for both, in order."""
    step = timedelta(seconds=1)
    database = Database.open(postgresql_url, base=Path())

    def book(*keys: str) -> None:
        with database.begin() as connection:
            for key in keys:
                rates.reserve(connection, key, 1.0, 1, THURSDAY, step)

    with ThreadPoolExecutor(1) as threads:
        with database.begin() as connection:
            rates.reserve(connection, "relay:smtp", 1.0, 1, THURSDAY, step)
            other = threads.submit(book, "domain:a.example", "relay:smtp")
            with database.engine.connect() as watching:
                blocked = text(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
                while not watching.execute(blocked).scalar() and not other.done():
                    watching.rollback()
            rates.reserve(connection, "domain:a.example", 1.0, 1, THURSDAY, step)
        other.result()
    with database.connect() as connection:
        rows = {row.key: row.next_at for row in connection.execute(select(rates_table))}
    assert rows == dict.fromkeys(["domain:a.example", "relay:smtp"], THURSDAY + 2 * step)
    database.close()


@pytest.mark.parametrize(
    ("messages_per_connection", "claimed"), [(3, 4), (1000, 4), (1000, 120)], ids=["reopened", "waiting", "busy"]
)
def test_a_worker_makes_room_for_one_that_comes_later(
    database, tmp_path, monkeypatch, messages_per_connection, claimed
):
    """Its connections are counted anew after ten seconds, those of the relay and those of the domain."""
    monkeypatch.setattr(intake, "FIRST_CLAIM", claimed)
    monkeypatch.setattr(intake, "MOST_CLAIMED", claimed)
    people = 120
    fill(database, people)
    clock = FakeClock()
    limits = DomainLimits(domains={"example.org": DomainLimit(connections=3)})
    with receiver("body", "dot") as server:

        def progress(finished: int) -> None:
            if finished == 20:
                later = clock.now() + timedelta(seconds=11)
                with database.begin() as connection:
                    wishes = {"relay:smtp": 4, "domain:example.org": 3}
                    granted = rates.lease_connections(connection, "another", wishes, later, timedelta(minutes=5))
                assert set(granted.values()) == {1}
                clock.time = later
            if finished == 70:
                server.most.clear()

        relay = smtp(server.port, connections=4, messages_per_connection=messages_per_connection)
        report = worker(database, [relay], clock, tmp_path / "epoch", limits=limits, progress=progress).deliver()
    assert report.sent == people
    assert server.most[""] == 2
    assert server.most["example.org"] == 2


def test_a_worker_takes_the_connections_of_one_that_has_ended(database, tmp_path, monkeypatch):
    """Also if it has claimed all there is."""
    people = 120
    monkeypatch.setattr(intake, "FIRST_CLAIM", people)
    fill(database, people)
    clock = FakeClock()
    with database.begin() as connection:
        rates.lease_connections(connection, "another", {"relay:smtp": 4}, clock.now(), timedelta(minutes=5))
    with receiver("body", "dot") as server:

        def progress(finished: int) -> None:
            if finished == 20:
                assert server.most[""] == 1
                with database.begin() as connection:
                    rates.release_connections(connection, "another", clock.now())
                clock.time += timedelta(seconds=11)

        relay = smtp(server.port, connections=4)
        report = worker(database, [relay], clock, tmp_path / "epoch", progress=progress).deliver()
    assert report.sent == people
    assert server.most[""] == 4


class Full(FakeTransport):
    """A server that accepts no further connection, some times."""

    connections = 4

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    @asynccontextmanager
    async def connect(self):
        self.times -= 1
        if self.times >= 0:
            raise TransportError("refused: 421 4.7.0 too many connections", code=421)
        async with super().connect() as connection:
            yield connection


@pytest.mark.parametrize(("times", "sent"), [(2, 30), (1000, 0)], ids=["for a moment", "for long"])
def test_a_worker_that_others_leave_no_connection_stops_no_one(database, tmp_path, times, sent):
    """The server is not broken: the others go on, and send what this worker gives back."""
    fill(database, 30)
    clock, transport = FakeClock(), Full(times)
    with database.begin() as connection:
        rates.lease_connections(connection, "another", {"relay:fake": 4}, clock.now(), timedelta(minutes=5))
    report = worker(database, [transport], clock, tmp_path / "epoch").deliver()
    assert (report.sent, report.stopped, report.deferred) == (sent, "", 0)
    assert standing(database) == ({"sent": 30} if sent else {"queued": 30})
    with database.connect() as connection:
        assert rates.pauses(connection, clock.now()) == ()
        assert sent or due_times.next_due(connection) <= clock.now()


def test_a_server_that_refuses_the_only_worker_is_left_alone_for_a_while(database, tmp_path):
    fill(database, 30)
    clock = FakeClock()
    report = worker(database, [Full(1000)], clock, tmp_path / "epoch").deliver()
    assert "too many connections" in report.stopped
    with database.connect() as connection:
        assert rates.pauses(connection, clock.now())


@pytest.mark.parametrize("after", [1, 2, 5])
def test_a_server_that_closes_connections_after_some_messages_defers_none(sqlite, tmp_path, after):
    """A message that meets two connections which end is not to blame."""
    people = 200
    fill(sqlite, people)
    with receiver("body", "dot") as server:
        server.hangs_up_after = after
        relay = smtp(server.port, connections=8)
        report = worker(sqlite, [relay], FakeClock(), tmp_path / "epoch").deliver()
    assert (report.sent, report.deferred, report.stopped) == (people, 0, "")
    assert standing(sqlite) == {"sent": people}
    assert set(server.arrived.values()) == {1}


@pytest.mark.parametrize("connections", [1, 3])
def test_a_domain_that_may_have_one_connection_loses_nothing_and_leaves_the_others_to_the_rest(
    sqlite, tmp_path, connections
):
    people = 120
    fill(sqlite, people, domains=("narrow.example",) * 4 + ("wide.example",) * 4)
    limits = DomainLimits(domains={"narrow.example": DomainLimit(connections=1)})
    with receiver("body", "dot") as server:
        relay = smtp(server.port, connections=connections)
        report = worker(sqlite, [relay], FakeClock(), tmp_path / "epoch", limits=limits).deliver()
        assert sorted(server.arrived.values()) == [1] * people
    assert server.most["narrow.example"] == 1
    assert min(connections, 2) <= server.most["wide.example"] <= connections
    assert (report.sent, report.stopped) == (people, "")
    assert (standing(sqlite), listed(sqlite)) == ({"sent": people}, {})


class Stuck:
    """A relay where a domain's mail waits until all the others' has gone."""

    name, connections, messages_per_second = "stuck", 3, None

    def __init__(self, domain: str, others: int) -> None:
        self.domain, self.left = domain, others
        self.gone = asyncio.Event()

    @asynccontextmanager
    async def connect(self):
        yield self

    async def send_all(self, supply) -> None:
        while (outgoing := await supply.take()) is not None:
            if domain_of(outgoing.envelope.recipient) == self.domain:
                await asyncio.wait_for(self.gone.wait(), 10)
            else:
                self.left -= 1
                if not self.left:
                    self.gone.set()
            outgoing.resolve(Receipt(code=250, text="queued"))


def test_a_domain_whose_one_connection_is_stuck_holds_nobody_else_up(sqlite, tmp_path):
    people = 120
    fill(sqlite, people, domains=("narrow.example",) * 30 + ("wide.example",) * 10)
    limits = DomainLimits(domains={"narrow.example": DomainLimit(connections=1)})
    relay = Stuck("narrow.example", people // 4)
    report = worker(sqlite, [relay], FakeClock(), tmp_path / "epoch", limits=limits).deliver()
    assert (report.sent, report.trouble) == (people, "")
