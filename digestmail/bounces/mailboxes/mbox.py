"""An mbox file, which is not changed. The database knows which reports were counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from digestmail.bounces.mailboxes.base import MailboxError, ReceivedMessage, too_large
from digestmail.bounces.mailboxes.quarantine import QuarantineFolder

_LONGEST_LINE: Final = 65_536
_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_POSTMARK = re.compile(
    rb"From (?:.{0,1000} )?" + _DAY + rb",? +(?:" + _MONTH + rb" +\d{1,2}|\d{1,2} +" + _MONTH + rb") "
    rb"(?=.*\b(?:19|20)\d\d\b)"
)
"""The line before each message: a sender and a date in the format of `asctime` (RFC 4155 appendix A). Some programs add
a time zone, omit the time or use the format of RFC 5322. A sentence that starts with "From" has no date."""


class MboxMailbox:
    """All messages of an mbox (RFC 4155). Rotate the file like other files in /var/mail."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        """Read at most `max_bytes` octets of each message."""
        self._path = path
        self._max_bytes = max_bytes
        self._quarantine = QuarantineFolder(path.with_name(f"{path.name}.quarantine"))

    def messages(self) -> Iterator[ReceivedMessage]:
        """Yield the messages in file order. Raises MailboxError if the file cannot be read."""
        try:
            if not self._path.is_file():
                raise MailboxError(f"{self._path} does not exist")
            with self._path.open("rb") as file:
                yield from self._split(file)
        except OSError as error:
            raise MailboxError(f"{self._path}: {error.strerror or error}") from error

    def mark_done(self, message: ReceivedMessage) -> None:
        """Do nothing, because a mail server may be writing to the file."""

    def quarantine(self, message: ReceivedMessage) -> bool:
        """Copy a message to the Maildir `PATH.quarantine`, at most `max_bytes` octets of it."""
        return self._quarantine.add(message.raw)

    def count_quarantined(self) -> int:
        """Return the number of messages in `PATH.quarantine`."""
        return self._quarantine.count()

    def _received(self, raw: bytearray, number: int) -> ReceivedMessage:
        problem = too_large(self._max_bytes) if len(raw) > self._max_bytes else ""
        return ReceivedMessage(raw=bytes(raw[: self._max_bytes]), key=str(number), problem=problem)

    def _split(self, file: BinaryIO) -> Iterator[ReceivedMessage]:
        """Split the file at the From lines, which are left out."""
        raw, number, began = bytearray(), -1, True
        while line := file.readline(_LONGEST_LINE):
            if began and (_POSTMARK.match(line) or (number < 0 and line.startswith(b"From "))):
                if number >= 0:
                    yield self._received(raw, number)
                raw, number = bytearray(), number + 1
            elif number >= 0 and len(raw) <= self._max_bytes:
                raw += line
            began = line.endswith(b"\n")
        if number >= 0:
            yield self._received(raw, number)
