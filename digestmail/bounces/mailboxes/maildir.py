"""A Maildir. Messages that are done move from `new` to `cur` with the flag Seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from digestmail.bounces.mailboxes.base import MailboxError, ReceivedMessage

_SEEN = "S"


class MaildirMailbox:
    """The unseen messages of a Maildir (https://cr.yp.to/proto/maildir.html)."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        """Read at most `max_bytes` octets of each message."""
        self._path = path
        self._max_bytes = max_bytes

    def messages(self) -> Iterator[ReceivedMessage]:
        """Yield the unseen messages, oldest first. Raises MailboxError if there is no Maildir."""
        if not (self._path / "new").is_dir():
            raise MailboxError(f"{self._path} is not a Maildir")
        for file in self._unseen():
            try:
                with file.open("rb") as opened:
                    raw = opened.read(self._max_bytes)
            except FileNotFoundError:
                continue  # another process has moved it
            except OSError as error:
                raise MailboxError(f"{file}: {error.strerror}") from error
            yield ReceivedMessage(raw=raw, key=str(file.relative_to(self._path)))

    def mark_done(self, message: ReceivedMessage) -> None:
        """Move a message to `cur` and flag it as seen."""
        file = self._path / message.key
        name, _, flags = file.name.partition(":2,")
        (self._path / "cur").mkdir(exist_ok=True)
        try:
            file.rename(self._path / "cur" / f"{name}:2,{''.join(sorted({*flags, _SEEN}))}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise MailboxError(f"{file}: {error.strerror}") from error

    def _unseen(self) -> list[Path]:
        new = [file for file in (self._path / "new").iterdir() if file.is_file()]
        cur = self._path / "cur"
        old = [file for file in cur.iterdir() if _SEEN not in file.name.partition(":2,")[2]] if cur.is_dir() else []
        return sorted([*new, *old], key=lambda file: file.name)
