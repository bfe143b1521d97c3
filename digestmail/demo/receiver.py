"""A receiving mail server on this machine, so that the demo and the tests use real SMTP."""

from __future__ import annotations

import asyncio
import mailbox
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

_HOST = "127.0.0.1"


@contextmanager
def receiving(path: Path) -> Iterator[tuple[str, int]]:
    """Receive mail into the Maildir at `path` during the context; yield host and port.

    The port is free and on loopback. A stored message is the received one, after `Return-Path` and a `Delivered-To` for
    each recipient, with LF line ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _Postman(mailbox.Maildir(path, factory=None, create=True))
    # Bound here, because aiosmtpd's Controller does not report which free port it got.
    with socket.create_server((_HOST, 0)) as listener, _serving(listener, handler):
        yield listener.getsockname()[:2]


class _Postman:
    """Called by aiosmtpd for each complete message."""

    def __init__(self, box: mailbox.Maildir) -> None:
        self._box = box

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        sender = (envelope.mail_from or "").strip("<>")  # aiosmtpd keeps the brackets of an empty sender
        trace = [f"Return-Path: <{sender}>"]
        trace += [f"Delivered-To: {recipient}" for recipient in envelope.rcpt_tos]
        content = envelope.original_content or b""
        # Stored before the reply, because 250 accepts responsibility for the message (RFC 5321 section 4.5.5).
        self._box.add("".join(f"{line}\n" for line in trace).encode() + content.replace(b"\r\n", b"\n"))
        return "250 2.0.0 kept"


@contextmanager
def _serving(listener: socket.socket, handler: _Postman) -> Iterator[None]:
    """Serve `listener` in a new thread, and end the thread and the socket afterwards."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(listener, handler, stop),), name="receiver")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _serve(listener: socket.socket, handler: _Postman, stop: asyncio.Event) -> None:
    connections: list[SMTP] = []

    def answer() -> SMTP:
        connections.append(SMTP(handler, hostname="localhost", enable_SMTPUTF8=True, loop=asyncio.get_running_loop()))
        return connections[-1]

    server = await asyncio.get_running_loop().create_server(answer, sock=listener)
    await stop.wait()
    server.close()
    for connection in connections:
        if connection.transport is not None:
            connection.transport.close()
    # closing a connection cancels its task; wait for that
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
    await server.wait_closed()
