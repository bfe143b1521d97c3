from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop
from sending import session

from digestmail.errors import DeliveryError, TransportError
from digestmail.transports.base import OutcomeUnknownError
from digestmail.transports.sendmail import SendmailTransport
from digestmail.transports.single import _Once as Once
from digestmail.transports.single import _Outbound as Outbound

from .contract import SENDER, Arrived, Stage, TransportContract, envelope, letter

STORES = """
import json, os, sys
name = f"{os.getpid()}-{os.urandom(4).hex()}"
content = sys.stdin.buffer.read()
assert b"\\r" not in content
with open(os.path.join(sys.argv[1], name), "w") as file:
    json.dump([sys.argv[2:], content.decode("latin-1")], file)
"""


def program(text: str, *words: str) -> tuple[str, ...]:
    """Return a command that runs a Python program, without reading the site packages."""
    return (sys.executable, "-I", "-S", "-c", text, *words)


def stored(path: Path) -> list[Arrived]:
    found = []
    for file in path.iterdir():
        words, content = json.loads(file.read_text())
        assert (words[0], words[1], words[3]) == ("-i", "-f", "--")
        sender = "" if words[2] == "<>" else words[2]
        found.append(Arrived(sender, words[4], content.encode("latin-1").replace(b"\n", b"\r\n")))
    return found


def command_lines() -> Iterator[bytes]:
    """Yield the command lines of all processes."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield file.read_bytes()


class TestSendmailTransport(TransportContract):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        return Stage(SendmailTransport(program(STORES, str(tmp_path))), lambda: stored(tmp_path))


def send(text: str, *, timeout: float = 60.0) -> str:
    with session(SendmailTransport(program(text), timeout=timeout)) as opened:
        return opened.send(envelope(), letter("one")).text


def test_a_program_that_says_something_is_quoted_in_the_record() -> None:
    assert send("print('queued as', 'A1')") == "queued as A1"
    assert send("pass").endswith("accepted it")


@pytest.mark.parametrize(("status", "permanent"), [(67, True), (68, True), (69, False), (75, False), (1, False)])
def test_the_exit_status_says_what_becomes_of_the_message(status: int, permanent: bool) -> None:
    with pytest.raises(DeliveryError, match=f"ended with status {status}: no luck") as caught:
        send(f"import sys; print('no luck'); sys.exit({status})")
    assert caught.value.permanent is permanent
    assert not isinstance(caught.value, OutcomeUnknownError)


@pytest.mark.parametrize("status", [64, 77, 78, 126, 127])
def test_a_program_that_is_set_up_wrongly_blames_no_recipient(status: int) -> None:
    with pytest.raises(TransportError, match=rf"ended with status {status}: .*\((it|its) "):
        send(f"raise SystemExit({status})")


def test_a_missing_program_is_named_with_the_key_to_set() -> None:
    missing = SendmailTransport(("no-such-sendmail",))
    with pytest.raises(TransportError, match="there is no program no-such-sendmail: set"), session(missing):
        pass


def test_a_program_that_takes_too_long_is_ended_and_may_have_sent(tmp_path: Path) -> None:
    waits = program("import os; os.read(os.pipe()[0], 1)", str(tmp_path))
    slow = SendmailTransport(waits, timeout=0.1)
    with session(slow) as opened, pytest.raises(OutcomeUnknownError, match=r"took longer than 0\.1 seconds"):
        opened.send(envelope(), letter("one"))
    assert not any(os.fsencode(tmp_path) in words for words in command_lines())


def test_a_program_that_is_killed_may_have_sent() -> None:
    with pytest.raises(OutcomeUnknownError, match="was ended by signal 9"):
        send("import os; os.kill(os.getpid(), 9)")


def test_a_program_that_does_not_read_its_input_can_still_accept() -> None:
    with session(SendmailTransport(program("import sys; sys.stdin.close(); print('fine')"))) as opened:
        assert opened.send(envelope(), letter("large", b"x" * 900 + b"\r\n" + b"y\r\n" * 100_000)).text == "fine"


IN_THE_BACKGROUND = """
import os, sys
sys.stdin.buffer.read()
if os.fork():
    print("queued", flush=True)
    os._exit({status})
open({fifo!r}).read()
"""


@pytest.mark.parametrize("status", [0, 75])
def test_what_a_program_leaves_running_in_the_background_is_not_waited_for(tmp_path: Path, status: int) -> None:
    fifo = tmp_path / "end"
    os.mkfifo(fifo)
    try:
        if status:
            with pytest.raises(DeliveryError, match="status 75: queued"):
                send(IN_THE_BACKGROUND.format(fifo=str(fifo), status=status), timeout=20)
        else:
            assert send(IN_THE_BACKGROUND.format(fifo=str(fifo), status=status), timeout=20) == "queued"
    finally:
        fifo.open("w").close()


def test_a_wrapper_that_takes_too_long_is_ended_with_what_it_runs(tmp_path: Path) -> None:
    fifo = tmp_path / "end"
    os.mkfifo(fifo)
    inner = f"open({str(fifo)!r}).read()"
    text = f"import subprocess, sys; subprocess.run([sys.executable, '-I', '-S', '-c', {inner!r}])"
    with pytest.raises(OutcomeUnknownError, match="longer than 2 seconds"):
        send(text, timeout=2.0)
    # What was killed is not gone at once.
    for _ in range(500):
        if not any(str(fifo).encode() in line for line in command_lines()):
            return
        time.sleep(0.01)
    pytest.fail("a program is still running")


def test_an_endless_answer_is_quoted_in_part() -> None:
    assert send("print('x' * 5_000_000)") == "x" * 500


def test_an_interrupted_program_is_ended_and_its_message_may_have_been_sent(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    os.mkfifo(started)
    waits = f"import os; open({str(started)!r}, 'w').write(str(os.getpid())); os.read(os.pipe()[0], 1)"
    outbound = Outbound(envelope(), letter("one"))

    async def interrupt() -> int:
        async with SendmailTransport(program(waits)).connect() as connection:
            task = asyncio.create_task(connection.send_all(Once(outbound)))
            pid = int(await asyncio.to_thread(started.read_text))
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            return pid

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        pid = runner.run(interrupt())
    assert isinstance(outbound.verdict, OutcomeUnknownError)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_recipient_is_never_taken_for_an_option(tmp_path: Path) -> None:
    with session(SendmailTransport(program(STORES, str(tmp_path)))) as opened:
        opened.send(envelope("-oQ/tmp@example.org"), letter("one"))
    assert [arrived.recipient for arrived in stored(tmp_path)] == ["-oQ/tmp@example.org"]
    assert stored(tmp_path)[0].sender == SENDER


def test_its_name_is_that_of_the_program() -> None:
    assert SendmailTransport(("/usr/sbin/sendmail",)).name == "sendmail"
