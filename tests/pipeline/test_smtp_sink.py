"""Postfix's own test server, with its own faults: what it makes of our dialogue, and we of its refusals."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from delivering import fill, smtp, standing, worker
from stage import FakeClock

from digestmail.storage.database import Database

SINK = Path("/usr/sbin/smtp-sink")
PEOPLE = 30
pytestmark = pytest.mark.skipif(not SINK.exists(), reason="smtp-sink is missing: install Debian's postfix")


@contextmanager
def sinking(*options: str) -> Iterator[int]:
    """Run smtp-sink on a free loopback port, which it inherits no socket for."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = ("-u", "nobody") if os.geteuid() == 0 else ()  # it will not run as root
    command = [SINK, *user, *options, f"127.0.0.1:{port}", "64"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sink:
        try:
            wait_for(port, sink)
            yield port
        finally:
            sink.terminate()


def wait_for(port: int, sink: subprocess.Popen[bytes]) -> None:
    while sink.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            continue
        return
    raise AssertionError("smtp-sink did not start")


@pytest.fixture
def outbox(tmp_path, sqlite_template):
    shutil.copy(sqlite_template, tmp_path / "test.db")
    database = Database.open(f"sqlite:///{tmp_path / 'test.db'}", base=tmp_path)
    fill(database, PEOPLE)
    yield database
    database.close()


def play(outbox, port: int, epoch: Path, **options):
    return worker(outbox, [smtp(port, connections=4, **options)], FakeClock(), epoch).deliver()


@pytest.mark.parametrize("options", [(), ("-p",), ("-e",), ("-8",)], ids=str)
def test_everything_is_taken_with_and_without_extensions(outbox, tmp_path, options):
    with sinking(*options) as port:
        assert play(outbox, port, tmp_path / "epoch").sent == PEOPLE
    assert standing(outbox) == {"sent": PEOPLE}


def test_lmtp_is_spoken_with_a_reply_for_the_recipient(outbox, tmp_path):
    with sinking("-L") as port:
        assert play(outbox, port, tmp_path / "epoch", dialect="lmtp").sent == PEOPLE


@pytest.mark.parametrize(
    ("options", "states"),
    [
        (("-r", "RCPT"), {"deferred": PEOPLE}),
        (("-f", "RCPT"), {"failed": PEOPLE}),
        (("-r", "."), {"deferred": PEOPLE}),
        (("-f", "."), {"failed": PEOPLE}),
        (("-f", "MAIL"), {"queued": PEOPLE}),
        (("-f", "CONNECT"), {"queued": PEOPLE}),
        (("-q", "CONNECT"), {"queued": PEOPLE}),
    ],
    ids=str,
)
def test_each_refusal_blames_whom_it_should(outbox, tmp_path, options, states):
    with sinking(*options) as port:
        report = play(outbox, port, tmp_path / "epoch")
    found = standing(outbox)
    if "queued" in states:
        assert report.stopped
        assert set(found) <= {"queued", "deferred"}
        assert sum(found.values()) == PEOPLE
    else:
        assert found == states


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
def test_a_server_that_hangs_up_at_a_step_leaves_nothing_unaccounted(outbox, tmp_path, command):
    with sinking("-q", command) as port:
        report = play(outbox, port, tmp_path / "epoch")
    assert (report.sent, report.failed) == (0, 0)
    assert sum(standing(outbox).values()) == PEOPLE
