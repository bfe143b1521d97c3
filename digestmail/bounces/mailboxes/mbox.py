"""An mbox file. It is only read: which reports are new, the database knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from digestmail.bounces.mailboxes.base import Arrived, MailboxError

_LONGEST_LINE: Final = 65_536
_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_POSTMARK = re.compile(
    rb"From (?:.{0,1000} )?" + _DAY + rb",? +(?:" + _MONTH + rb" +\d{1,2}|\d{1,2} +" + _MONTH + rb") "
    rb"(?=.*\b(?:19|20)\d\d\b)"
)
"""The line before each mail: a sender, and a date as `asctime` writes it (RFC 4155 appendix A); some add a time zone,
leave out the time or write the date as RFC 5322 does. A sentence that begins with "From" has no date."""


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
            with self._path.open("rb") as file:
                yield from self._split(file)
        except OSError as error:
            raise MailboxError(f"{self._path}: {error.strerror or error}") from error

    def done(self, mail: Arrived) -> None:
        """Change nothing: a mail server may be writing to the file."""

    def _split(self, file: BinaryIO) -> Iterator[Arrived]:
        """Split at the dated From lines, of which the first of a mail is left out."""
        raw, number, began = bytearray(), -1, True
        while line := file.readline(_LONGEST_LINE):
            if began and (_POSTMARK.match(line) or (number < 0 and line.startswith(b"From "))):
                if number >= 0:
                    yield Arrived(raw=bytes(raw), place=str(number))
                raw, number = bytearray(), number + 1
            elif number >= 0 and len(raw) < self._max_bytes:
                raw += line[: self._max_bytes - len(raw)]
            began = line.endswith(b"\n")
        if number >= 0:
            yield Arrived(raw=bytes(raw), place=str(number))
