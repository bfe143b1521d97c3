"""Runs the program on a pseudo-terminal, and answers its questions."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ON_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal, and passwords are read from it
signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a shell starts in the background ignores it
os.execv(sys.executable, [sys.executable, "-m", "digestmail", *sys.argv[1:]])
"""


class Terminal:
    """A program on a terminal, and what it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self._process = process
        self._master = master
        self._unread = ""
        self.screen = ""

    def expect(self, pattern: str) -> str:
        """Wait until the program has written what `pattern` matches behind the last match; return that."""
        while (found := re.search(pattern, self._unread)) is None:
            piece = self._read()
            assert piece, f"{pattern!r} was not written: {self.screen}"
            self._unread += piece
            self.screen += piece
        self._unread = self._unread[found.end() :]
        return found[0]

    def answer(self, pattern: str, text: str = "") -> None:
        """Wait for a question, and answer it with a line."""
        self.expect(pattern)
        os.write(self._master, f"{text}\n".encode())

    def end(self) -> int:
        """Wait until the program ends, and return its exit code."""
        while piece := self._read():
            self.screen += piece
        return self._process.wait(60)

    def _read(self) -> str:
        readable, _, _ = select.select([self._master], [], [], 60)
        if not readable:
            return ""
        try:
            return os.read(self._master, 65536).decode("utf-8", "replace").replace("\r\n", "\n")
        except OSError:  # Linux says EIO when the program has closed the terminal
            return ""


@contextmanager
def on_terminal(site: Path, *words: str, environment: dict[str, str] | None = None) -> Iterator[Terminal]:
    """Run `digestmail` on a terminal, and kill it at the end if it still runs."""
    master, slave = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *words],
            cwd=site,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=os.environ | {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"} | (environment or {}),
        ) as process:
            os.close(slave)
            try:
                yield Terminal(process, master)
            finally:
                process.kill()
    finally:
        os.close(master)
