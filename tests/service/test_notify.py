"""What systemd hears: sd_notify(3), on a socket in the file system and on an abstract one."""

from __future__ import annotations

import os
import socket
from uuid import uuid4

import pytest

from digestmail.service.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """Yield (address for NOTIFY_SOCKET, receiving socket)."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@digestmail-test-{uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        opened.bind("\0" + name[1:] if name.startswith("@") else name)
        opened.settimeout(10)
        yield name, opened


def test_states_arrive_as_lines(manager):
    address, received = manager
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"}, pid=7)
    notifier.ready("running: run, web")
    notifier.reloading(lambda: 5_000_000)
    notifier.alive()
    notifier.status("two\nlines")
    notifier.stopping()
    assert [received.recv(4096).decode() for _ in range(5)] == [
        "READY=1\nSTATUS=running: run, web",
        "RELOADING=1\nMONOTONIC_USEC=5000",
        "WATCHDOG=1",
        "STATUS=two lines",
        "STOPPING=1",
    ]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
    ],
)
def test_the_watchdog_is_ours_only_if_it_means_this_process(environment, seconds):
    assert Notifier(environment, pid=7).watchdog_seconds == seconds


def test_without_a_watchdog_nothing_is_pinged(manager):
    address, received = manager
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.alive()
    notifier.stopping()
    assert received.recv(4096) == b"STOPPING=1"


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234"])
def test_without_a_socket_nothing_happens(address):
    Notifier({"NOTIFY_SOCKET": address}).ready("running")


def test_a_socket_that_is_gone_is_reported_once_and_stops_nothing(tmp_path, caplog):
    notifier = Notifier({"NOTIFY_SOCKET": os.fspath(tmp_path / "gone")})
    notifier.ready("running")
    notifier.stopping()
    assert len(caplog.records) == 1
