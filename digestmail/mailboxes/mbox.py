"""An mbox file. It is only read: which reports are new, the database knows."""

from __future__ import annotations

import mailbox
from collections.abc import Iterator
from pathlib import Path

from digestmail.mailboxes.base import Arrived, MailboxError


class MboxMailbox:
    """The mails of an mbox (RFC 4155), every time all of them; rotate the file as the others of /var/mail."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        """Read at most `max_bytes` octets of each mail."""
        self._path = path
        self._max_bytes = max_bytes

    def mails(self) -> Iterator[Arrived]:
        """Yield the mails as they stand in the file. Raises MailboxError if it cannot be read."""
        if not self._path.is_file():
            raise MailboxError(f"{self._path}: there is no such file")
        try:
            opened = mailbox.mbox(self._path, create=False)
            try:
                for key in opened.keys():  # noqa: SIM118 - iterating a mailbox yields its messages, parsed
                    with opened.get_file(key) as file:
                        yield Arrived(raw=file.read(self._max_bytes), place=str(key))
            finally:
                opened.close()
        except (OSError, mailbox.Error) as error:
            raise MailboxError(f"{self._path}: {error}") from error

    def done(self, mail: Arrived) -> None:
        """Change nothing: a mail server may be writing to the file."""
