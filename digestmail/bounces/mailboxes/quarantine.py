"""A local folder for messages that could not be read, so that you can look at them and the next run skips them."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from digestmail.bounces.mailboxes.base import MailboxError

FOLDER = ".quarantine"
"""Its name below a Maildir. Mail programs show it as a folder (Maildir++)."""


class QuarantineFolder:
    """A Maildir (https://cr.yp.to/proto/maildir.html) that only its owner can read."""

    def __init__(self, path: Path) -> None:
        """Store the path. The directory is created when it is needed."""
        self.path = path

    def add(self, raw: bytes) -> bool:
        """Store a copy of a message. Return False if it is already there. Raises MailboxError."""
        name = sha256(raw).hexdigest()[:40]
        if self._has(name):
            return False
        try:
            self._create()
            temporary = self.path / "tmp" / name
            with open(temporary, "wb", opener=_private) as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self.path / "new" / name)
        except OSError as error:
            raise MailboxError(f"{self.path}: {error.strerror}") from error
        return True

    def move(self, file: Path) -> None:
        """Move a message of another Maildir here. Raises MailboxError."""
        try:
            self._create()
            file.rename(self.path / "new" / file.name.partition(":2,")[0])
        except FileNotFoundError:
            return  # another process has moved it
        except OSError as error:
            raise MailboxError(f"{file}: {error.strerror}") from error

    def count(self) -> int:
        """Return the number of messages. Raises MailboxError."""
        try:
            return sum(len(list(folder.iterdir())) for folder in self._folders() if folder.is_dir())
        except OSError as error:
            raise MailboxError(f"{self.path}: {error.strerror}") from error

    def _has(self, name: str) -> bool:
        with suppress(OSError):
            return any(
                file.name.partition(":2,")[0] == name
                for folder in self._folders()
                if folder.is_dir()
                for file in folder.iterdir()
            )
        return False

    def _folders(self) -> tuple[Path, Path]:
        return self.path / "new", self.path / "cur"

    def _create(self) -> None:
        for folder in (self.path.parent, self.path, *(self.path / name for name in ("tmp", "new", "cur"))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.path / "maildirfolder").touch(mode=0o600)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
