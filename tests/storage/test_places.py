"""A place that cannot be written is explained: which folder, which user, and what to change."""

from __future__ import annotations

import os

import pytest

from digestmail.errors import StorageError
from digestmail.storage.database import Database
from digestmail.storage.maintenance import write_problem
from digestmail.storage.places import place_problem


@pytest.fixture
def refused(monkeypatch):
    """Refuse to write below a folder, as the system does to another user than root."""

    def refuse(folder):
        access = os.access
        monkeypatch.setattr(
            os, "access", lambda path, mode: not os.fspath(path).startswith(os.fspath(folder)) and access(path, mode)
        )

    return refuse


def test_a_place_that_can_be_written_has_no_problem(tmp_path):
    assert place_problem(tmp_path / "digestmail.db") is None


def test_a_folder_that_is_not_there_is_named(tmp_path):
    problem = place_problem(tmp_path / "no" / "digestmail.db", "epoch_file")
    assert problem == f"there is no folder {tmp_path / 'no'}: create it, or name another place in `epoch_file`"


def test_a_folder_that_may_not_be_written_is_named_with_the_user(tmp_path, refused):
    refused(tmp_path)
    problem = place_problem(tmp_path / "digestmail.db")
    assert problem is not None
    assert f"may not write in the folder {tmp_path}" in problem
    assert "the user " in problem


def test_a_file_that_may_not_be_written_is_named(tmp_path, refused):
    (tmp_path / "digestmail.db").touch()
    refused(tmp_path / "digestmail.db")
    problem = place_problem(tmp_path / "digestmail.db")
    assert problem is not None
    assert f"may not write the file {tmp_path / 'digestmail.db'}" in problem


def test_a_database_that_can_be_written_has_no_problem(database):
    assert write_problem(database) is None


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_each_file_of_a_database_has_to_be_written(sqlite, refused, suffix):
    sqlite.ping()
    (file, *_) = sqlite.files()
    refused(file.with_name(file.name + suffix))
    assert "may not write the file" in str(write_problem(sqlite))


def test_a_postgresql_database_that_is_read_only_is_named(postgresql_url, tmp_path):
    database = Database.open(postgresql_url, base=tmp_path)
    database.run_alone(f"ALTER DATABASE {database.engine.url.database} SET default_transaction_read_only = on")
    database.close()
    assert "it can only be read: name the primary server" in str(write_problem(database))
    database.close()


def test_a_database_that_cannot_be_opened_says_why(tmp_path):
    with pytest.raises(StorageError, match=r"there is no folder .*/no: create it"):
        Database.open("sqlite:///no/digestmail.db", base=tmp_path).ping()
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="is a folder: name a file in it"):
        Database.open("sqlite:///folder", base=tmp_path).ping()


@pytest.mark.parametrize("address", ["sqlite:///", "sqlite:///:memory:"])
def test_an_address_without_a_file_shows_how_to_write_one(tmp_path, address):
    with pytest.raises(StorageError, match="write sqlite:////var/lib"):
        Database.open(address, base=tmp_path)
