"""What delivery depends on fails in the middle of a run: the database, the disk, the epoch file, the outbox writer."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import FakeClock, FakeTransport
from proxying import proxying
from sqlalchemy import event, select
from worker_fixture import fill, listed, smtp, standing, until_empty, worker

from digestmail.delivery import outbox_writer
from digestmail.delivery.lead import FEWEST
from digestmail.delivery.worker import LEASE
from digestmail.errors import StorageError
from digestmail.storage import schema, settings
from digestmail.storage.database import Database

sys.path.append(str(Path(__file__).parents[1] / "transports"))
from scripted import scripted

PEOPLE = 40


class Clock(FakeClock):
    """A clock that tells when somebody waits."""

    def __init__(self, waits) -> None:
        super().__init__()
        self.waits = waits

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.waits(self.time)


def recipients(server) -> Counter[str]:
    return Counter(recipient for one in server.messages for recipient in one.recipients)


# -- the server ----------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy(postgresql_url):
    with proxying(postgresql_url) as proxy:
        yield proxy


@pytest.fixture
def away(proxy):
    """Return a clock under which the proxy is up again after a minute."""
    begun = []

    def waits(now) -> None:
        if proxy.cuts and not begun:
            begun.append(now)
        if begun and now - begun[0] >= timedelta(minutes=1) and proxy.cuts == 1:
            proxy.up()
            begun.append(now)

    clock = Clock(waits)
    clock.begun = begun
    return clock


@pytest.mark.parametrize("after", [False, True], ids=["before it is made", "before its answer is heard"])
@pytest.mark.parametrize("commit", [1, 2, 3, 4])
def test_a_postgresql_that_goes_away_for_a_minute_at_a_commit_is_waited_for(
    proxy, away, tmp_path, caplog, commit, after
):
    database = Database.open(proxy.url, base=Path())
    fill(database, PEOPLE)
    # Before the first commit of the outbox writer, the claim: the worker is recorded, and connections are leased.
    proxy.cut_at, proxy.after = commit + 2, after
    with scripted(extensions=["PIPELINING"]) as server:
        report = worker(database, [smtp(server.port)], away, tmp_path / "epoch").deliver()
        if (commit, after) == (1, True):
            # Nobody heard that the claim was made: it holds until its lease has passed.
            assert (report.sent, report.next_due_at - away.begun[0]) >= (0, timedelta(minutes=28))
            until_empty(database, [smtp(server.port)], tmp_path / "epoch", away)
        else:
            assert (report.sent, report.stopped) == (PEOPLE, "")
        assert sorted(recipients(server).values()) == [1] * PEOPLE
    assert (proxy.cuts, len(away.begun)) == (1, 2)
    assert "the outbox writer retries" in caplog.text
    assert "nothing is lost" in caplog.text
    assert "127.0.0.1" in caplog.text
    assert (standing(database), listed(database)) == ({"sent": PEOPLE}, {})
    database.close()


def test_a_postgresql_that_goes_away_for_a_minute_between_two_commits_is_waited_for(proxy, away, tmp_path, caplog):
    database = Database.open(proxy.url, base=Path())
    fill(database, PEOPLE)
    with scripted(extensions=["PIPELINING"]) as server:

        def progress(finished: int) -> None:
            if finished > 10 and not proxy.cuts:
                proxy.down()

        report = worker(database, [smtp(server.port)], away, tmp_path / "epoch", progress=progress).deliver()
        assert sorted(recipients(server).values()) == [1] * PEOPLE
    assert (report.sent, report.stopped) == (PEOPLE, "")
    assert (proxy.cuts, len(away.begun)) == (1, 2)
    assert "refused" in caplog.text
    assert (standing(database), listed(database)) == ({"sent": PEOPLE}, {})
    database.close()


# -- the disk ------------------------------------------------------------------------------------------------------


class Talkative(FakeTransport):
    """Says so much to each message that what is recorded of it needs room."""

    def send(self, envelope, message):
        return super().send(envelope, message)._replace(text="queued " + "x" * 200)


def test_a_disk_that_is_full_is_waited_for_until_there_is_room(sqlite, tmp_path, caplog):
    """SQLite's own limit stands in for the disk's; what it says and undoes is the same."""
    people = 300
    fill(sqlite, people)
    transport, pages, waited = Talkative(), [1 << 30], []

    def limit(connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages[0]}")

    def waits(now) -> None:
        waited.append(now)
        if len(waited) == 6:
            pages[0] = 1 << 30

    def verdict(_) -> None:
        if len(transport.sent) == 20 and not waited:
            pages[0] = 1  # as many as there are

    event.listen(sqlite.engine, "begin", limit)
    transport.verdict = verdict
    relay = transport
    report = worker(sqlite, [relay], Clock(waits), tmp_path / "epoch").deliver()
    assert len(waited) >= 6
    assert "database or disk is full" in caplog.text
    assert "nothing is lost" in caplog.text
    assert (report.sent, report.stopped) == (people, "")
    assert len(set(transport.recipients)) == len(transport.recipients) == people
    assert (standing(sqlite), listed(sqlite)) == ({"sent": people}, {})


# -- the file beside the database ----------------------------------------------------------------------------------


def test_an_epoch_file_that_cannot_be_written_is_waited_for_and_nothing_is_claimed_twice(database, tmp_path, caplog):
    fill(database, PEOPLE)
    transport, waited = FakeTransport(), []
    directory = tmp_path / "not yet"

    def waits(now) -> None:
        waited.append(now)
        assert transport.sent == []
        with database.connect() as connection:
            assert settings.epoch(connection) == 1
        if len(waited) == 5:
            directory.mkdir()

    relay = transport
    report = worker(database, [relay], Clock(waits), directory / "epoch").deliver()
    assert (report.sent, len(waited)) == (PEOPLE, 5)
    assert "epoch: cannot be written" in caplog.text
    with database.connect() as connection:
        assert set(connection.execute(select(schema.deliveries.c.fence)).scalars()) == {1}
    assert (standing(database), listed(database)) == ({"sent": PEOPLE}, {})


# -- the outbox writer itself ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["claim", "record_intent", "record"])
@pytest.mark.parametrize("turn", [1, 2])
def test_a_bug_in_the_outbox_writer_ends_the_run_with_a_clear_error_and_loses_nothing(
    database, tmp_path, monkeypatch, caplog, step, turn
):
    fill(database, PEOPLE)
    clock, turns = FakeClock(), []
    real = getattr(outbox_writer.claims, step)

    def buggy(*args, **options):
        turns.append(args)
        if len(turns) == turn:
            raise KeyError("a bug")
        return real(*args, **options)

    with scripted(extensions=["PIPELINING"]) as server:
        relay = smtp(server.port)
        with monkeypatch.context() as patched:
            patched.setattr(outbox_writer.claims, step, buggy)
            with pytest.raises(StorageError, match="unexpected KeyError: 'a bug'"):
                worker(database, [relay], clock, tmp_path / "epoch").deliver()
        assert "the outbox writer ended by a bug" in caplog.text
        assert "Traceback" in caplog.text
        clock.time += LEASE
        until_empty(database, [relay], tmp_path / "epoch", clock)
        arrived, doubted = recipients(server), listed(database)
    assert len(arrived) == PEOPLE
    assert all(count <= 1 + doubted[address] for address, count in arrived.items())
    assert sum(doubted.values()) <= FEWEST * relay.connections
    assert standing(database) == {"sent": PEOPLE}
