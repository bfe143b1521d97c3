"""Hand messages to a local program that takes them like Sendmail: Postfix, Exim, OpenSMTPD, msmtp, nullmailer.

The program gets the envelope on its command line and the message on standard input, with the line ends of files on
this system, and says by its exit status what became of it (sysexits.h, https://man.openbsd.org/sysexits.3).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from tempfile import TemporaryFile

from digestmail.errors import DeliveryError, TransportError
from digestmail.model.deliveries import Envelope
from digestmail.transports.base import Connection, MessageSource, OutcomeUnknownError, Receipt, Verdict
from digestmail.transports.wellformed import require_wellformed

_OK = 250  # what an SMTP server would say, so that a record of attempts reads the same for every way out
_NO_USER, _NO_HOST = 67, 68
_OURS = {
    64: "it does not know an option",
    66: "it cannot read its input",
    70: "it has an internal error",
    71: "the system has an error",
    72: "a file of the system is missing",
    73: "it cannot write its output",
    74: "it has an input or output error",
    77: "it is not allowed to, or the login failed",
    78: "its configuration is wrong",
    126: "it cannot be executed",
    127: "it was not found",
}
"""Exit statuses that no recipient is to blame for."""
_SHOWN = 500
_NULL_SENDER = "<>"


class SendmailTransport:
    """Runs a program for each message."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        timeout: float = 300.0,
        connections: int = 4,
        messages_per_second: float | None = None,
    ) -> None:
        """Run `command`, at most `connections` at a time. One that takes longer than `timeout` seconds is ended."""
        self._command = tuple(command)
        self._timeout = timeout
        self.name = os.path.basename(self._command[0])  # noqa: PTH119 - the word as it is configured
        self.connections = connections
        self.messages_per_second = messages_per_second

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Check that the program exists. Raises TransportError."""
        found = shutil.which(self._command[0])
        if found is None:
            raise TransportError(f"there is no program {self._command[0]}: set [mail.sendmail] command")
        yield _Program((found, *self._command[1:]), self._timeout)


class _Program:
    """One program at a time, for message after message."""

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._command = command
        self._timeout = timeout

    async def send_all(self, source: MessageSource) -> None:
        """Hand over message after message; see `Connection`."""
        while (outgoing := await source.take()) is not None:
            try:
                verdict = await self._hand_over(outgoing.envelope, outgoing.message)
            except asyncio.CancelledError:
                outgoing.resolve(OutcomeUnknownError(f"{self._command[0]} was interrupted"))
                raise
            outgoing.resolve(verdict)
            if isinstance(verdict, TransportError):
                raise verdict

    async def _hand_over(self, envelope: Envelope, message: bytes) -> Verdict:
        require_wellformed(envelope, message)
        words = (*self._command, "-i", "-f", envelope.sender or _NULL_SENDER, "--", envelope.recipient)
        # Files, because a pipe ends with the last process that has it, and a program that delivers in the background
        # leaves one behind. Nor does a file break if the program ends without reading it.
        with ExitStack() as files:
            try:
                content, output = (files.enter_context(TemporaryFile()) for _ in range(2))
                content.write(message.replace(b"\r\n", b"\n"))
                content.seek(0)
                # A session of its own: Ctrl+C ends digestmail, but not a program that has half of a message.
                program = await asyncio.create_subprocess_exec(
                    *words, stdin=content, stdout=output, stderr=STDOUT, start_new_session=True
                )
            except OSError as error:
                return TransportError(f"{self._command[0]} cannot be started: {error.strerror}")
            try:
                async with asyncio.timeout(self._timeout):
                    await program.wait()
            except TimeoutError:
                took = f"{self._command[0]} took longer than {self._timeout:g} seconds"
                return OutcomeUnknownError(f"{took} and was ended")
            finally:
                await _end(program)
            output.seek(0)
            return self._verdict(program.returncode or 0, output.read(4 * _SHOWN))

    def _verdict(self, status: int, said: bytes) -> Verdict:
        text = " ".join(said.decode("utf-8", "replace").split())[:_SHOWN]
        program = self._command[0]
        if status == 0:
            return Receipt(code=_OK, text=text or f"{program} accepted it")
        if status < 0:
            return OutcomeUnknownError(f"{program} was ended by signal {-status}: {text}")
        detail = f"{program} ended with status {status}: {text}"
        if status in _OURS:
            return TransportError(f"{detail} ({_OURS[status]})")
        return DeliveryError(detail, code=None, permanent=status in {_NO_USER, _NO_HOST})


async def _end(program: Process) -> None:
    """Make sure that a program has ended, with the programs that it runs, whatever happened."""
    if program.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        await program.wait()
