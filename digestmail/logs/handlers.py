"""Where log lines go: standard error, and a file for the mail log. A log that cannot be written stops nothing."""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import sys
from pathlib import Path


class StandardErrorHandler(logging.Handler):
    """Writes to standard error, whatever that is when a line is written."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. Characters that the stream cannot write are escaped by it (see `cli.main`)."""
        try:
            line = self.format(record)
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except OSError:  # standard error is closed, or its disk is full: there is no place left to say so
            return
        except Exception:  # noqa: BLE001 - logging's rule: a line that cannot be formatted stops nothing
            self.handleError(record)


class PrivateFileHandler(logging.handlers.WatchedFileHandler):
    """Appends to a file that only its owner can read; opens it again after logrotate has moved it.

    The file is opened with the first line. If it cannot be written, that is said once on standard error, and lines are
    lost until it can.
    """

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._failed = False
        super().__init__(path, encoding="utf-8", errors="backslashreplace", delay=True)

    def _open(self) -> io.TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=_private)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            self.reopenIfNeeded()
            if self.stream is None:
                self.stream = self._open()
                self._statstream()
            self.stream.write(f"{self.format(record)}\n")
            self.flush()
            self._failed = False
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Close the file, so that the next line tries again, and say once what is wrong."""
        stream: io.TextIOWrapper | None = self.stream
        self.stream = None  # as FileHandler.close does
        try:
            if stream is not None:
                stream.close()
        except OSError:
            pass  # what it still held cannot be written either
        if not self._failed:
            self._failed = True
            logging.getLogger("digestmail.logs").error(
                "the mail log %s cannot be written: %s; emails are sent all the same. Check logs.mail_log",
                self.baseFilename,
                error.strerror or error,
            )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
