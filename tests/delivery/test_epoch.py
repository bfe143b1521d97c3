"""The epoch file of a machine that claims nothing itself."""

from __future__ import annotations

import pytest

from digestmail.delivery.epoch import EpochFile
from digestmail.errors import StorageError
from digestmail.storage import settings


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
