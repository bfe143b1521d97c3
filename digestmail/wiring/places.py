"""Files and folders of the configuration that have to be written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from digestmail.config.bounces import BouncesTable
from digestmail.config.files import file_fault
from digestmail.config.settings import Config
from digestmail.storage.places import place_problem

ENOUGH_SPACE: Final = 100_000_000
"""Bytes: a night's papers and deliveries are a few megabytes, and the write-ahead log may grow to some more."""


def place_problems(config: Config, base: Path) -> Iterator[str]:
    """Name files and folders that this user cannot write, before a run has to. Relative paths begin at `base`."""
    places = {"epoch_file": base / config.epoch_file}
    if config.mail.transport == "maildir":
        folder = base / config.mail.maildir.path
        while not os.path.lexists(folder):  # it is made when it is needed
            folder = folder.parent
        places["mail.maildir.path"] = folder / "new"
    for key, path in places.items():
        if not os.path.isdir(path) and (problem := place_problem(path, key)):  # noqa: PTH112 - Path.is_dir raises
            yield f"{key}: {problem}"
    yield from disk_problem(config.database, base)
    log = config.logs.mail_log
    if log is not None and (problem := place_problem(base / log, "logs.mail_log")):
        yield f"logs.mail_log: {problem}"
    if config.bounces.model_fields_set:
        try:
            yield from _mailbox_problem(config.bounces, base / config.bounces.path)
        except OSError as error:
            yield f"bounces.path: {file_fault(error, config.bounces.path, base)}"


def disk_problem(database: str, base: Path) -> Iterator[str]:
    """Name the disk of a SQLite database if it is nearly full."""
    path = database.removeprefix("sqlite:///")
    folder = (base / path).parent
    if path != database and folder.is_dir() and (free := shutil.disk_usage(folder).free) < ENOUGH_SPACE:
        yield (
            f"the disk of the database is nearly full: {free // 1_000_000} MB are free in {folder}; without space "
            "nothing is collected, published or sent. Free some space, or move the database"
        )


def _mailbox_problem(table: BouncesTable, path: Path) -> Iterator[str]:
    """Name a mailbox of bounces that is not there, so that `digestmail bounces` would fail."""
    if table.kind == "maildir" and not (path / "new").is_dir():
        yield (
            f"bounces.path: {path} is not a Maildir: name the one that your mail server delivers to, or create it "
            f"with `mkdir -p {' '.join(str(path / part) for part in ('cur', 'new', 'tmp'))}`"
        )
    if table.kind == "mbox" and not path.is_file():
        yield f"bounces.path: there is no file {path}: name the one that your mail server delivers to, or create it"
