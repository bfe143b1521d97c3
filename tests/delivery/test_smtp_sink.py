"""Postfix's own test server, with its own faults: what it makes of our dialogue, and we of its refusals."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import FakeClock
from worker_fixture import fill, listed, smtp, standing, until_empty, worker

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


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-p",),
        ("-e",),
        ("-8",),
        ("-a", "-C", "-E", "-F", "-N"),
        ("-P",),
        ("-s", "EHLO,MAIL,RCPT,DATA,.,QUIT"),
        ("-h", "mail.example.org"),
        ("-m", "1"),
        ("-T", "1024"),
    ],
    ids=str,
)
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


# -- what comes of it in the end -----------------------------------------------------------------------------------


@pytest.fixture
def dump():
    """A directory the sink can write to, whoever it runs as."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o777)
        yield Path(directory)


def arrived(*dumps: Path) -> Counter[str]:
    """Return how often the message to each address was taken down."""
    text = "".join(dump.read_text() for dump in dumps if dump.exists())
    return Counter(re.findall(r"^X-Rcpt-Args: <([^>]+)>", text, re.MULTILINE))


EVERY = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".", "RSET", "QUIT")
FAULTS = [
    *((flag, command) for flag in ("-q", "-Q", "-r", "-f") for command in EVERY),
    ("-r", "RCPT", "-b", "421 4.7.0 slow down"),
    ("-r", ".", "-b", "450 4.7.28 too many messages"),
    ("-f", "RCPT", "-B", "550 5.7.26 unauthenticated mail is not accepted"),
    ("-f", ".", "-B", "554 5.7.1 blocked by our spam policy"),
    ("-A", "0"),
    ("-n", "2"),
    ("-M", "5"),
]
BLAMES = {("-f", "RCPT"), ("-f", "DATA"), ("-f", ".")}


@pytest.mark.parametrize("fault", FAULTS, ids=" ".join)
def test_after_any_fault_the_accounts_close_and_nothing_is_lost(outbox, tmp_path, dump, fault):
    clock, epoch = FakeClock(), tmp_path / "epoch"
    with sinking("-D", f"{dump}/faulty", *fault) as port:
        report = worker(outbox, [smtp(port, connections=4)], clock, epoch).deliver()
    assert sum(standing(outbox).values()) == PEOPLE
    # With -A the server refuses what it has not read, which may or may not be in time to be an answer to it.
    assert report.failed == (PEOPLE if fault in BLAMES else 0) or fault[0] == "-A"
    with sinking("-D", f"{dump}/healthy") as port:
        clock.time += timedelta(hours=1)
        until_empty(outbox, [smtp(port, connections=4)], epoch, clock)
    # What is refused at its end was taken down all the same.
    refused = "." in fault and fault[0] != "-q"
    taken = arrived(dump / "healthy") if refused else arrived(dump / "healthy", dump / "faulty")
    doubted = listed(outbox)
    assert standing(outbox) == {
        state: count for state, count in (("failed", report.failed), ("sent", len(taken))) if count
    }
    assert len(taken) + report.failed == PEOPLE
    assert all(count <= 1 + doubted[address] for address, count in taken.items())
    assert not doubted or fault == ("-q", ".") or fault[0] in {"-n", "-M"}
