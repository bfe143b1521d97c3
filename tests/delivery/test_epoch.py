"""The epoch file: of a machine that claims nothing itself, and after a claim that failed."""

from __future__ import annotations

import pytest
from fakes import FakeClock, FakeTransport
from worker_fixture import fill, worker

from digestmail.delivery.epoch import EpochFile
from digestmail.errors import StorageError
from digestmail.model.deliveries import DeliveryState
from digestmail.storage import settings
from digestmail.storage.schema import deliveries


def raise_epoch(database, to: int) -> None:
    with database.begin() as connection:
        settings.bump_epoch(connection, to)


def test_a_machine_that_claims_nothing_notices_that_the_database_was_put_back(database, tmp_path):
    raise_epoch(database, 100)
    here, there = (EpochFile(tmp_path / name, "secret") for name in ("here", "there"))
    here.note(100)
    here.follow(database)
    raise_epoch(database, 300)
    there.note(300)
    here.follow(database)
    raise_epoch(database, 200)
    for each in (here, there):
        with pytest.raises(StorageError, match="put back from a backup"):
            each.check_database(database)


def test_a_database_that_was_put_back_is_not_followed(database, tmp_path):
    epoch = EpochFile(tmp_path / "epoch", "secret")
    epoch.note(100)
    raise_epoch(database, 99)
    for _ in range(2):
        with pytest.raises(StorageError, match="put back from a backup"):
            epoch.follow(database)


def test_a_claim_that_could_not_be_committed_leaves_nothing_in_the_file(database, tmp_path, monkeypatch):
    """When the transaction is tried again, there may be nothing left to claim."""
    fill(database, 5)
    dialect, bump = database.engine.dialect, settings.bump_epoch
    commit, bumped, failures = dialect.do_commit, [], [StorageError("the database is gone")]

    def bump_epoch(connection):
        bumped.append(bump(connection))
        return bumped[-1]

    def do_commit(connection) -> None:
        if bumped and failures:
            raise failures.pop()
        commit(connection)

    class Meanwhile(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            with database.begin() as connection:
                connection.execute(deliveries.update().values(state=DeliveryState.CANCELLED, due_at=None))

    monkeypatch.setattr(settings, "bump_epoch", bump_epoch)
    monkeypatch.setattr(dialect, "do_commit", do_commit)
    report = worker(database, [FakeTransport()], Meanwhile(), tmp_path / "epoch").deliver()
    assert (report.sent, failures, len(bumped)) == (0, [], 1)
    EpochFile(tmp_path / "epoch", "secret").check_database(database)
