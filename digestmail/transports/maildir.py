"""Deliver messages into one Maildir on this machine (https://cr.yp.to/proto/maildir.html)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email import message_from_bytes
from hashlib import sha256
from pathlib import Path

from digestmail.errors import TransportError
from digestmail.model.deliveries import Envelope
from digestmail.transports.base import Connection, MessageSource, Receipt
from digestmail.transports.wellformed import require_wellformed

_OK = 250  # what an SMTP server would say, so that a record of attempts reads the same for both ways out


class MaildirTransport:
    """Delivers into one Maildir, whoever the recipients are; `Delivered-To` names them."""

    name = "maildir"
    connections = 1
    messages_per_second: float | None = None

    def __init__(self, path: Path) -> None:
        """Take the directory; it need not exist."""
        self._path = path

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Create the Maildir where it is missing. Raises TransportError."""
        try:
            mailbox = await asyncio.to_thread(_Mailbox.open, self._path)
        except OSError as error:
            raise TransportError(f"the mailbox {self._path} cannot be opened: {error.strerror}") from error
        yield mailbox


class _Mailbox:
    """Delivers each message once: its file is named after its Message-ID and recipient, not after the time."""

    def __init__(self, path: Path, known: set[str]) -> None:
        self._path = path
        self._known = known

    @classmethod
    def open(cls, path: Path) -> _Mailbox:
        for folder in (path, *(path / part for part in ("tmp", "new", "cur"))):
            # `parents` would create the mailbox itself with the mode of the umask.
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Listed once: a message moves from new/ to cur/ when it is read, and looking for its name among the flagged
        # names of a full cur/ for every message would take time that grows with the square.
        return cls(path, {entry.name.partition(":")[0] for part in ("new", "cur") for entry in os.scandir(path / part)})

    async def send_all(self, source: MessageSource) -> None:
        """Deliver message after message; see `Connection`.

        A full or read-only disk ends the connection, because it would refuse every other message, too.
        """
        while (outgoing := await source.take()) is not None:
            try:
                receipt = await asyncio.to_thread(self._deliver, outgoing.envelope, outgoing.message)
            except OSError as error:
                failed = TransportError(f"the mailbox {self._path} took no message: {error.strerror}")
                outgoing.resolve(failed)
                raise failed from error
            outgoing.resolve(receipt)

    def _deliver(self, envelope: Envelope, message: bytes) -> Receipt:
        require_wellformed(envelope, message)
        name = _file_name(envelope, message)
        if name in self._known:
            return Receipt(code=_OK, text=f"{name} was there already")
        temporary = self._path / "tmp" / name
        try:
            _write_durably(temporary, _as_stored(envelope, message))
            temporary.rename(self._path / "new" / name)
            _sync_directory(self._path / "new")
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        self._known.add(name)
        return Receipt(code=_OK, text=f"delivered as {name}")


def _file_name(envelope: Envelope, message: bytes) -> str:
    """Name the delivery, so that after a crash the same delivery gets the same file.

    Raises ValueError for a message without Message-ID.
    """
    head, _, _ = message.partition(b"\r\n\r\n")
    message_id = message_from_bytes(head)["Message-ID"]
    if message_id is None:
        raise ValueError("the message has no Message-ID")
    return sha256(f"{str(message_id).strip()}\n{envelope.recipient}".encode()).hexdigest()[:40]


def _as_stored(envelope: Envelope, message: bytes) -> bytes:
    """Add what final delivery adds (RFC 5321 section 4.4), and write line ends as files on this system have them."""
    trace = f"Return-Path: <{envelope.sender}>\nDelivered-To: {envelope.recipient}\n"
    return trace.encode() + message.replace(b"\r\n", b"\n")


def _write_durably(path: Path, content: bytes) -> None:
    # A leftover of a crash has the same name and is overwritten.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    """Make a rename outlive a power cut: the name is part of the directory, not of the file."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
