"""The guard against a database that was put back: it must not mail everybody again.

Every claim raises a counter in the database, in the transaction of the claim, and then in a small file beside the
configuration. A database whose counter stands before the file's has forgotten what was sent.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from digestmail.errors import StorageError
from digestmail.storage import settings
from digestmail.storage.database import Database


class EpochFile:
    """Remembers, outside the database, how far its deliveries had come."""

    def __init__(self, path: Path, secret: str) -> None:
        """`secret` tells one database from another: a new one has no past."""
        self._path = path
        self._name = sha256(f"digestmail.epoch\n{secret}".encode()).hexdigest()[:16]

    def renamed(self, secret: str) -> EpochFile:
        """Return the guard with the same file for the same database under another secret."""
        return EpochFile(self._path, secret)

    def check(self, database_epoch: Callable[[], int]) -> None:
        """Compare with the database's epoch. Raises StorageError when the database is older than what was seen.

        The file is read first: another worker may raise both between the two looks.
        """
        seen = self._seen()
        epoch = database_epoch()
        if seen is not None and epoch < seen:
            raise StorageError(
                f"the database is older than its deliveries (it stands at {epoch}, {self._path} at {seen}): it was put "
                "back from a backup, and who got what since then is not in it; nothing is published or sent"
            )

    def check_database(self, database: Database) -> None:
        """Compare with what `database` says. Raises StorageError when it is older than what was seen."""

        def stored() -> int:
            with database.connect() as connection:
                return settings.epoch(connection)

        self.check(stored)

    def follow(self, database: Database) -> None:
        """Check the database, and write down how far other machines have brought it. Raises StorageError.

        Otherwise a backup may be newer than the file of a machine that has claimed nothing for a while.
        """
        self.check_database(database)
        with database.connect() as connection:
            epoch = settings.epoch(connection)
        self.note(epoch)

    def note(self, epoch: int) -> None:
        """Write down the epoch, whole or not at all. Raises StorageError."""
        # Containers that share the folder may have the same process and thread IDs.
        temporary = self._path.with_name(f"{self._path.name}.{token_hex(8)}.tmp")
        try:
            # Several workers: the file never goes back.
            if (seen := self._seen()) is None or seen < epoch:
                with open(temporary, "w", encoding="ascii", opener=_private) as file:
                    file.write(f"{self._name} {epoch}\n")
                temporary.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise StorageError(f"{self._path}: cannot be written: {error.strerror}") from error

    @property
    def seen(self) -> int:
        """The epoch noted last for this database; 0 if none."""
        return self._seen() or 0

    def _seen(self) -> int | None:
        try:
            name, _, number = self._path.read_text("ascii").strip().partition(" ")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"{self._path}: cannot be read: {error}") from error
        return int(number) if name == self._name and number.isdecimal() else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
