"""Access tokens that another program obtains: from a file it writes, or from its output."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Final

from digestmail.clock import Clock
from digestmail.errors import TransportError
from digestmail.oauth.answers import is_token
from digestmail.transports.smtp.replies import reply_text

_KEPT: Final = 300.0
"""Seconds for which the output of a program is used, so that sixteen connections do not start sixteen programs."""
_MOST_BYTES: Final = 65_536


class FileTokens:
    """A file that contains only an access token. It is read for every connection."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self._path = path

    def get(self) -> str:
        """Return the token. Raises TransportError."""
        try:
            token = self._path.read_text("ascii").strip()
        except (OSError, UnicodeError) as error:
            raise TransportError(f"{self._path}: the access token cannot be read: {error}") from error
        if not token:
            raise TransportError(f"{self._path}: there is no access token in the file")
        if not is_token(token):
            raise TransportError(f"{self._path}: the file contains more than one access token")
        return token

    def renew(self, refused: str) -> str | None:
        """Return the token if it has been replaced meanwhile."""
        token = self.get()
        return None if token == refused else token


class CommandTokens:
    """A program that prints an access token, and ends."""

    def __init__(self, command: Sequence[str], clock: Clock, *, timeout: float = 60.0) -> None:
        """Run `command` without a shell. One that takes longer than `timeout` seconds is ended."""
        self._command = tuple(command)
        self._clock = clock
        self._timeout = timeout
        self._mutex = Lock()
        self._token: str | None = None
        self._until = 0.0

    def get(self) -> str:
        """Return the token that the program printed in the last five minutes, or run it. Raises TransportError."""
        with self._mutex:
            if self._token is not None and self._clock.monotonic() < self._until:
                return self._token
            return self._run()

    def renew(self, refused: str) -> str | None:
        """Run the program again, unless it was already; None if it prints the same token. Raises TransportError."""
        with self._mutex:
            token = self._token if self._token not in {None, refused} else self._run()
        return None if token == refused else token

    def _run(self) -> str:
        self._token = None
        token = run_program(self._command, self._timeout)
        self._token, self._until = token, self._clock.monotonic() + _KEPT
        return token


def run_program(command: Sequence[str], timeout: float) -> str:
    """Return the token that a program prints. Raises TransportError, which does not contain its output.

    Output goes to files, because a pipe ends with the last process that has it, which may run in the background.
    """
    name = f"token_command {os.path.basename(command[0])}"  # noqa: PTH119 - the word as it is configured
    with TemporaryFile() as output, TemporaryFile() as errors:
        try:
            program = subprocess.Popen(  # noqa: S603 - the operator's command, without a shell
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise TransportError(f"{name} cannot be started: {getattr(error, 'strerror', None) or error}") from error
        try:
            status = program.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TransportError(f"{name} took longer than {timeout:g} seconds and was ended") from None
        finally:
            _end(program)
        output.seek(0)
        errors.seek(0)
        printed, said = output.read(_MOST_BYTES).decode("utf-8", "replace").strip(), errors.read(_MOST_BYTES)
    if status != 0:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        reason = f": {reply_text(lines[-1])}" if lines else ""
        raise TransportError(f"{name} ended with status {status}{reason}")
    if not is_token(printed):
        raise TransportError(f"{name} printed {'something other than a token' if printed else 'nothing'}")
    return printed


def _end(program: subprocess.Popen[bytes]) -> None:
    if program.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
