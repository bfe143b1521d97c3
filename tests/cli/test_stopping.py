"""SIGTERM ends a command in the time that a service manager gives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from digestmail.cli import stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_to_stop_and_the_next_one_ends_the_process(number):
    before = [signal.getsignal(one) for one in stopping.SIGNALS]
    with stopping.on_signals() as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
        assert [signal.getsignal(one) for one in stopping.SIGNALS] == [signal.SIG_DFL] * 2
    assert [signal.getsignal(one) for one in stopping.SIGNALS] == before


def test_what_waits_for_an_answer_is_ended_when_the_time_is_over(capsys):
    before = [signal.getsignal(one) for one in stopping.SIGNALS]
    left = []
    try:
        stopping.end_within(0, leave=lambda: left.append(True)).join()
    finally:
        for one, handler in zip(stopping.SIGNALS, before, strict=True):
            signal.signal(one, handler)
    assert left == [True]
    assert "`digestmail deliveries release`" in capsys.readouterr().err


def test_the_grace_is_shorter_than_what_docker_gives():
    assert stopping.GRACE < 10


def test_a_process_that_hangs_dies_of_the_signal_as_service_managers_expect():
    hangs = textwrap.dedent("""
        import os, signal, threading
        from digestmail.cli import stopping
        stopping.end_within.__defaults__ = (0,)
        with stopping.on_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait()
    """)
    ended = subprocess.run([sys.executable, "-c", hangs], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGTERM
    assert ended.stderr.startswith("digestmail: stopped after 0 s")


NEW_PID_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]


@pytest.mark.parametrize("signals", [1, 2])
def test_the_first_process_of_a_container_ends_too_though_no_signal_kills_it(signals):
    if subprocess.run([*NEW_PID_NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user cannot create a PID namespace: `unshare --pid` fails")
    hangs = textwrap.dedent(f"""
        import os, signal, threading
        from digestmail.cli import stopping
        assert os.getpid() == 1
        if {signals} == 1:
            stopping.end_within.__defaults__ = (0,)
        with stopping.on_signals():
            for _ in range({signals}):
                os.kill(1, signal.SIGTERM)
            threading.Event().wait()
    """)
    ended = subprocess.run(
        [*NEW_PID_NAMESPACE, sys.executable, "-c", hangs], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 128 + signal.SIGTERM, ended.stderr
