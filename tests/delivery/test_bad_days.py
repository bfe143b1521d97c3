"""Disks that are full, databases that are gone or come from a backup, clocks that jump, rates that are shared."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta

import pytest
from fakes import FakeClock, FakeTransport
from sqlalchemy import NullPool, create_engine, event, text
from worker_fixture import fill, listed, standing, worker

from digestmail.delivery import outcomes
from digestmail.delivery.claim_policy import ClaimPolicy
from digestmail.delivery.pacing import DomainLimit, DomainLimits
from digestmail.errors import DeliveryError, StorageError, TransportError
from digestmail.model.deliveries import AmbiguousPolicy
from digestmail.storage import due_times, rates
from digestmail.storage.database import Database

PEOPLE = 10


class Clock(FakeClock):
    """A clock that tells when somebody waits."""

    def __init__(self, waits=lambda: None) -> None:
        super().__init__()
        self.waits = waits

    def sleep(self, seconds: float) -> None:
        self.waits()
        super().sleep(seconds)


@pytest.fixture
def transport():
    return FakeTransport()


@pytest.fixture
def epoch(tmp_path):
    return tmp_path / "epoch"


def relay(transport, name="fake") -> FakeTransport:
    transport.name = name
    return transport


# -- the database --------------------------------------------------------------------------------------------------


def test_a_database_that_fails_at_every_commit_for_a_while_loses_nothing(database, transport, epoch, monkeypatch):
    """Full, locked or gone: what the ledger sees is a transaction that fails, before or after it was committed."""
    fill(database, PEOPLE)
    troubles = {"before": 0, "after": 0}
    real = database.engine.dialect.do_commit

    def failing(connection) -> None:
        kind = "before" if troubles["before"] < 5 else "after" if troubles["after"] < 5 and transport.sent else ""
        if kind == "after":
            real(connection)
        if kind:
            troubles[kind] += 1
            raise database.engine.dialect.loaded_dbapi.OperationalError("disk I/O error")
        real(connection)

    lease_connections = ClaimPolicy.lease_connections

    def then_fail(*args):
        database.engine.dialect.do_commit = real
        granted = lease_connections(*args)
        event.listen(
            database.engine, "begin", lambda _: setattr(database.engine.dialect, "do_commit", failing), once=True
        )
        return granted

    monkeypatch.setattr(ClaimPolicy, "lease_connections", then_fail)
    report = worker(database, [relay(transport)], Clock(), epoch).deliver()
    assert troubles["before"] == 5
    assert report.sent == PEOPLE
    assert sorted(transport.recipients) == sorted(set(transport.recipients))
    assert standing(database) == {"sent": PEOPLE}


def test_a_sqlite_file_that_is_locked_for_long_is_waited_for(tmp_path, sqlite_template, transport, epoch, caplog):
    shutil.copy(sqlite_template, tmp_path / "test.db")
    database = Database.open(f"sqlite:///{tmp_path / 'test.db'}", base=tmp_path)
    event.listen(database.engine, "connect", lambda driver, _: driver.execute("PRAGMA busy_timeout = 1"))
    fill(database, PEOPLE)
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None, check_same_thread=False)
    waited = []

    def lock(_):
        if len(transport.sent) == 2 and not waited:
            other.execute("BEGIN IMMEDIATE")

    def waits():
        waited.append(1)
        if len(waited) == 5:
            other.execute("ROLLBACK")

    transport.verdict = lock
    report = worker(database, [relay(transport)], Clock(waits), epoch).deliver()
    assert len(waited) >= 5
    assert "locked" in caplog.text
    assert (report.sent, sorted(set(transport.recipients))) == (PEOPLE, sorted(transport.recipients))
    other.close()
    database.close()


def test_a_postgresql_that_drops_its_connections_is_asked_again(database, transport, epoch, caplog):
    if database.dialect != "postgresql":
        pytest.skip("only a server can hang up")
    fill(database, PEOPLE)
    killed = []
    other = create_engine(database.engine.url, poolclass=NullPool)

    def hang_up(_):
        if len(transport.sent) in {2, 5}:
            with other.connect() as connection:
                killed.append(
                    connection.execute(
                        text(
                            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                        )
                    ).scalar_one()
                )

    transport.verdict = hang_up
    report = worker(database, [relay(transport)], Clock(), epoch).deliver()
    assert sum(killed)
    assert (report.sent, sorted(set(transport.recipients))) == (PEOPLE, sorted(transport.recipients))
    assert standing(database) == {"sent": PEOPLE}


def test_a_database_that_stays_away_ends_the_run_with_a_clear_error_and_loses_nothing(database, transport, epoch):
    fill(database, PEOPLE)
    clock, real = Clock(), database.engine.dialect.do_commit

    def gone(_):
        raise database.engine.dialect.loaded_dbapi.OperationalError("database or disk is full")

    def verdict(_):
        database.engine.dialect.do_commit = gone

    transport.verdict = verdict
    with pytest.raises(StorageError, match="disk is full"):
        worker(database, [relay(transport)], clock, epoch).deliver()
    database.engine.dialect.do_commit = real
    transport.verdict = lambda _: None
    sent = list(transport.recipients)
    clock.time += timedelta(hours=1)
    worker(database, [relay(transport)], clock, epoch).deliver()
    doubted = listed(database)
    assert standing(database) == {"sent": PEOPLE}
    assert all(doubted[address] for address in sent)


# -- backups and clocks --------------------------------------------------------------------------------------------


def test_a_database_put_back_from_a_backup_sends_nothing(tmp_path, sqlite_template, transport, epoch):
    path = tmp_path / "test.db"
    shutil.copy(sqlite_template, path)

    def deliver():
        database = Database.open(f"sqlite:///{path}", base=tmp_path)
        try:
            return worker(database, [relay(transport)], FakeClock(), epoch).deliver()
        finally:
            database.close()

    database = Database.open(f"sqlite:///{path}", base=tmp_path)
    fill(database, PEOPLE)
    database.close()
    shutil.copy(path, tmp_path / "backup.db")
    assert deliver().sent == PEOPLE
    shutil.copy(tmp_path / "backup.db", path)
    with pytest.raises(StorageError, match="put back from a backup"):
        deliver()
    assert len(transport.sent) == PEOPLE


def test_a_clock_that_jumps_ahead_cancels_what_is_too_late(database, transport, epoch):
    fill(database, PEOPLE)
    clock = FakeClock()
    clock.time += timedelta(days=3)
    report = worker(database, [relay(transport)], clock, epoch, max_lateness=timedelta(days=2)).deliver()
    assert (report.cancelled, transport.sent) == (PEOPLE, [])
    assert standing(database) == {"cancelled": PEOPLE}


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(hours=1), timedelta(days=10)], ids=str)
def test_a_clock_that_jumps_during_a_run_sends_nothing_twice(database, transport, epoch, jump):
    fill(database, PEOPLE)
    clock = FakeClock()

    def verdict(_):
        if len(transport.sent) == 3:
            clock.time += jump

    transport.verdict = verdict
    one = worker(database, [relay(transport)], clock, epoch)
    one.deliver()
    transport.verdict = lambda _: None
    clock.time = max(clock.time, FakeClock().time) + timedelta(hours=1)
    worker(database, [relay(transport)], clock, epoch).deliver()
    assert standing(database) == {"sent": PEOPLE}
    doubted = listed(database)
    assert all(transport.recipients.count(address) <= 1 + doubted[address] for address in transport.recipients)


@pytest.mark.parametrize("policy", AmbiguousPolicy)
def test_a_claim_too_old_for_a_message_is_given_back_and_not_cancelled(database, transport, epoch, policy):
    """A relay so slow that the lease runs out under what is still in the pool."""
    fill(database, PEOPLE)
    clock = FakeClock()

    def verdict(_):
        clock.time += timedelta(minutes=2)

    transport.verdict = verdict
    for _ in range(3):
        worker(database, [relay(transport)], clock, epoch, policy=policy).deliver()
        clock.time += timedelta(hours=1)
    assert standing(database) == {"sent": PEOPLE}
    assert len(transport.recipients) == len(set(transport.recipients))


# -- rates ---------------------------------------------------------------------------------------------------------


def test_a_rate_is_kept_over_restarts_and_shared_by_workers(database, transport, epoch):
    fill(database, 40)
    clock = FakeClock()
    limits = DomainLimits(domains={"example.org": DomainLimit(messages_per_second=2.0, connections=1)})
    begun = clock.time
    for _ in range(100):
        for _ in range(2):
            stop_after = len(transport.sent) + 3
            worker(
                database,
                [relay(transport)],
                clock,
                epoch,
                limits=limits,
                stop=lambda limit=stop_after: len(transport.sent) >= limit,
            ).deliver()
        if len(transport.sent) == 40:
            break
        clock.sleep(1)
    assert len(transport.sent) == 40
    assert (clock.time - begun).total_seconds() >= (40 - 6) / 2
    assert standing(database) == {"sent": 40}


def test_who_asks_for_less_gets_less_and_full_speed_again_later(database, transport, epoch):
    fill(database, PEOPLE)
    clock = FakeClock()

    def slower(recipient):
        if recipient == "p3@example.org":
            raise DeliveryError("450 4.7.28 too fast", code=450, permanent=False)

    transport.verdict = slower
    worker(database, [relay(transport)], clock, epoch).deliver()
    with database.connect() as connection:
        assert rates.factors(connection, clock.now()) == {"domain:example.org": 0.5}
        assert rates.factors(connection, clock.now() + 2 * rates.RECOVERY) == {}


@pytest.mark.parametrize(
    "reply",
    ["450 4.2.1 mailbox busy", "450 4.2.2 full", "450 4.2.1 later", "451 4.7.1 greylisted, try again later"],
)
def test_a_mailbox_that_cannot_take_a_message_now_slows_nobody_else(database, transport, epoch, reply):
    fill(database, PEOPLE)
    clock = FakeClock()

    def busy(recipient):
        if recipient == "p3@example.org":
            raise DeliveryError(f"RCPT TO was answered with {reply}", code=int(reply[:3]), permanent=False)

    transport.verdict = busy
    worker(database, [relay(transport)], clock, epoch).deliver()
    with database.connect() as connection:
        assert rates.factors(connection, clock.now()) == {}


def test_a_sender_that_is_refused_for_now_slows_no_domain():
    refused = TransportError("MAIL FROM was answered with 451 4.3.0 disk trouble", code=451)
    assert outcomes.throttle_key(refused, "relay", "p3@example.org") is None


def test_workers_share_the_connections_of_a_relay(database):
    now, lease = FakeClock().now(), timedelta(minutes=5)
    with database.begin() as connection:
        assert rates.lease_connections(connection, "one", {"relay:a": 5}, now, lease) == {"relay:a": 5}
        assert rates.lease_connections(connection, "two", {"relay:a": 5}, now, lease) == {"relay:a": 1}
        assert rates.lease_connections(connection, "one", {"relay:a": 5}, now, lease) == {"relay:a": 3}
        assert rates.lease_connections(connection, "two", {"relay:a": 5}, now, lease) == {"relay:a": 2}
        rates.release_connections(connection, "one", now)
        assert rates.lease_connections(connection, "two", {"relay:a": 5}, now, lease) == {"relay:a": 5}
        assert rates.lease_connections(connection, "three", {"relay:a": 5}, now + lease, lease) == {"relay:a": 5}
        assert due_times.next_due(connection) is None
