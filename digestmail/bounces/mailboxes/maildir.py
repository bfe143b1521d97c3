"""A Maildir. Messages that are done move from `new` to `cur` with the flag Seen, unreadable ones to `.quarantine`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from digestmail.bounces.mailboxes.base import MailboxError, ReceivedMessage, too_large
from digestmail.bounces.mailboxes.quarantine import FOLDER, QuarantineFolder

_SEEN = "S"


class MaildirMailbox:
    """The unseen messages of a Maildir (https://cr.yp.to/proto/maildir.html)."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        """Read at most `max_bytes` octets of each message."""
        self._path = path
        self._max_bytes = max_bytes
        self._quarantine = QuarantineFolder(path / FOLDER)

    def messages(self) -> Iterator[ReceivedMessage]:
        """Yield the unseen messages, oldest first. Raises MailboxError if there is no Maildir."""
        try:
            is_maildir = (self._path / "new").is_dir()
        except OSError as error:  # such as a directory above that this user may not enter
            raise MailboxError(f"{self._path}: {error.strerror}") from error
        if not is_maildir:
            raise MailboxError(f"{self._path} is not a Maildir")
        for file in self._unseen():
            raw, problem = b"", ""
            try:
                with file.open("rb") as opened:
                    raw = opened.read(self._max_bytes + 1)
            except FileNotFoundError:
                continue  # another process has moved it
            except OSError as error:
                problem = f"the file cannot be read: {error.strerror}"
            if len(raw) > self._max_bytes:
                raw, problem = raw[: self._max_bytes], too_large(self._max_bytes)
            yield ReceivedMessage(raw=raw, key=str(file.relative_to(self._path)), problem=problem)

    def mark_done(self, message: ReceivedMessage) -> None:
        """Move a message to `cur` and flag it as seen."""
        file = self._path / message.key
        name, _, flags = file.name.partition(":2,")
        (self._path / "cur").mkdir(mode=0o700, exist_ok=True)
        try:
            file.rename(self._path / "cur" / f"{name}:2,{''.join(sorted({*flags, _SEEN}))}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise MailboxError(f"{file}: {error.strerror}") from error

    def quarantine(self, message: ReceivedMessage) -> bool:
        """Move a message to the folder `.quarantine`."""
        self._quarantine.move(self._path / message.key)
        return True

    def count_quarantined(self) -> int:
        """Return the number of messages in `.quarantine`."""
        return self._quarantine.count()

    def _unseen(self) -> list[Path]:
        """Return the files of unseen messages. Raises MailboxError."""
        cur = self._path / "cur"
        try:
            new = [file for file in (self._path / "new").iterdir() if file.is_file()]
            old = [file for file in cur.iterdir() if file.is_file()] if cur.is_dir() else []
        except OSError as error:
            raise MailboxError(f"{self._path}: {error.strerror}") from error
        old = [file for file in old if _SEEN not in file.name.partition(":2,")[2]]
        return sorted([*new, *old], key=lambda file: file.name)
