"""`digestmail up` as a process: signals, reloads, what hangs, and several of them at once."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clirun import digestmail
from loopback import answering, listening, ok, stalling
from uprun import NOW, SOURCE, configure, get, running, service_manager, states_until

from digestmail.demo.services import serving

SINK = Path("/usr/sbin/smtp-sink")
READERS = 12


@pytest.fixture
def services():
    with serving() as found:
        yield SOURCE.format(found)


# -- one ---------------------------------------------------------------------------------------------------------------


def test_one_process_delivers_reads_bounces_serves_pages_and_ends_on_sigterm(tmp_path, services):
    for part in ("cur", "new", "tmp"):
        (tmp_path / "bounces" / part).mkdir(parents=True)
    (tmp_path / "bounces/new/1.M1.mx").write_bytes(b"From: a@example.org\r\nSubject: hello\r\n\r\nno report\r\n")
    configure(tmp_path, services, more='[bounces]\npath = "bounces"\n')
    digestmail(tmp_path, "subscribers", "add", "reader@example.org", "--digest", "daily", NOW)
    digestmail(tmp_path, "collect", NOW)
    digestmail(tmp_path, "publish", NOW)
    with running(tmp_path, "up") as up:
        address = up.page()
        assert "Made-up papers" in get(address)
        assert get(f"{address}healthz") == "ok\n"
        wanted = {r"deliver +1 sent", r"bounces +1 read"}
        while wanted:
            line = up.until("|".join(wanted))
            wanted = {each for each in wanted if not re.search(each, line)}
        assert up.end() == 0
    assert len(list((tmp_path / "mail/new").iterdir())) == 1
    assert "Traceback" not in up.log
    assert "started again" not in up.log


def test_what_is_switched_off_does_not_run(tmp_path, services):
    configure(tmp_path, services, more='[bounces]\npath = "nowhere"\n')
    with running(tmp_path, "up", "--no-run", "--no-bounces") as up:
        assert get(f"{up.page()}healthz") == "ok\n"
        assert up.end() == 0
    assert up.log == ""
    said = digestmail(tmp_path, "up", "--no-run", "--no-bounces", "--no-web", status=2)
    assert "nothing is left to run" in said


def test_a_configuration_that_is_not_valid_is_refused_at_the_start(tmp_path):
    configure(tmp_path, 'kind = "arxiv"')
    assert "sources[" in digestmail(tmp_path, "up", status=2)


def test_a_port_in_use_stops_only_the_pages_until_it_is_free(tmp_path, services):
    configure(tmp_path, services)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(tmp_path, "up", "--port", str(port)) as up:
            up.until("part web: cannot listen .* already uses the port")
            up.until("collect  papers")
            taken.close()
            assert get(f"{up.page()}healthz") == "ok\n"
            assert up.end() == 0


def test_a_reload_to_a_port_in_use_keeps_the_one_before(tmp_path, services):
    configure(tmp_path, services)
    config = tmp_path / "config.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken, running(tmp_path, "up", "--no-run") as up:
        address = up.page()
        config.write_text(config.read_text("utf-8").replace("port = 0", f"port = {taken.getsockname()[1]}"), "utf-8")
        up.process.send_signal(signal.SIGHUP)
        up.until("the one before stays in use")
        assert "already uses the port" in up.log
        assert get(f"{address}healthz") == "ok\n"
        assert up.end() == 0


def test_sighup_takes_up_a_valid_configuration_and_keeps_the_old_one_otherwise(tmp_path, services):
    configure(tmp_path, services)
    config = tmp_path / "config.toml"
    valid = config.read_text("utf-8")
    with running(tmp_path, "up", "--no-run") as up:
        address = up.page()
        config.write_text(valid.replace("[web]", "[web]\nprot = 1\naccess_logs = true"), "utf-8")
        up.process.send_signal(signal.SIGHUP)
        up.until("the one before stays in use")
        assert "web.prot: unknown key; did you mean 'port'?" in up.log
        assert "web.access_logs: unknown key; did you mean 'access_log'?" in up.log
        assert "Made-up papers" in get(address)

        config.write_text(valid.replace("Made-up papers", "Invented papers"), "utf-8")
        up.process.send_signal(signal.SIGHUP)
        assert up.page() == address, "the port stays the same"
        assert "Invented papers" in get(address)
        assert up.end() == 0
    assert "Traceback" not in up.log


def test_no_request_is_lost_while_the_pages_are_replaced(tmp_path, services):
    configure(tmp_path, services)
    over, answers = threading.Event(), Counter[str]()

    def ask(address: str) -> None:
        while not over.is_set():
            try:
                answers[get(f"{address}healthz")] += 1
            except OSError as error:
                answers[repr(error)] += 1

    with running(tmp_path, "up", "--no-run") as up:
        address = up.page()
        asking = [threading.Thread(target=ask, args=(address,)) for _ in range(2)]
        for thread in asking:
            thread.start()
        try:
            for _ in range(4):
                up.process.send_signal(signal.SIGHUP)
                assert up.page() == address
        finally:
            over.set()
            for thread in asking:
                thread.join()
        assert up.end() == 0
    assert answers.keys() == {"ok\n"}


def test_a_broken_template_is_refused_by_a_reload(tmp_path, services):
    configure(tmp_path, services, top='templates_dir = "own"')
    (tmp_path / "own/email").mkdir(parents=True)
    with running(tmp_path, "up", "--no-run") as up:
        address = up.page()
        (tmp_path / "own/email/subject.txt").write_text("{{ nothing }}")
        up.process.send_signal(signal.SIGHUP)
        assert "email/subject.txt, line 1: 'nothing' is undefined" in up.until("reload: template")
        up.until("the one before stays in use")
        assert "Made-up papers" in get(address)
        assert up.end() == 0


def test_systemd_hears_when_it_is_ready_reloads_and_stops(tmp_path, services):
    configure(tmp_path, services)
    with (
        service_manager(0.6) as (environment, manager),
        running(tmp_path, "up", "--no-run", environment=environment) as up,
    ):
        assert manager.recv(4096) == b"READY=1\nSTATUS=running: web"
        assert manager.recv(4096) == b"WATCHDOG=1"
        up.process.send_signal(signal.SIGHUP)
        reloading, ready = states_until(manager, "READY")
        assert reloading.startswith("RELOADING=1\n")
        assert ready == "READY=1\nSTATUS=running: web"
        assert up.end() == 0
        assert states_until(manager, "STOPPING") == ["STOPPING=1"]


# -- what hangs --------------------------------------------------------------------------------------------------------


def never_accepting(reached: threading.Event):
    """Return a mail server that takes a message, and does not answer its final dot."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"220 mx.example.org ESMTP\r\n")
        connection.settimeout(60)
        with connection.makefile("rb") as lines:
            for line in lines:
                verb = line[:4].upper()
                connection.sendall(b"354 go on\r\n" if verb == b"DATA" else b"250 ok\r\n")
                if verb == b"DATA":
                    break
            for line in lines:
                if line == b".\r\n":
                    reached.set()
                    over.wait(60)
                    return

    return talk


def hanging_forever(reached: threading.Event):
    """Return a server that takes the connection and says nothing."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        reached.set()
        stalling(connection, over)

    return talk


@pytest.mark.slow
@pytest.mark.parametrize("what", ["feed", "final dot"])
def test_the_process_ends_by_itself_whatever_hangs(tmp_path, services, what):
    work, mailbox = threading.Event(), threading.Event()
    imap = (
        '[bounces]\nkind = "imap"\nhost = "127.0.0.1"\nport = {}\nsecurity = "none"\nusername = "a"\npassword = "b"\n'
    )
    with ExitStack() as stack:
        bounces = imap.format(stack.enter_context(listening(hanging_forever(mailbox))).port)
        configure(tmp_path, services)
        digestmail(tmp_path, "subscribers", "add", "reader@example.org", "--digest", "daily", NOW)
        digestmail(tmp_path, "collect", NOW)
        digestmail(tmp_path, "publish", NOW)
        if what == "feed":
            feed = stack.enter_context(listening(hanging_forever(work)))
            configure(tmp_path, SOURCE.format(f"http://127.0.0.1:{feed.port}"), more=bounces)
        else:
            server = stack.enter_context(listening(never_accepting(work)))
            mail = f'[mail.smtp]\nhost = "127.0.0.1"\nport = {server.port}\nconnections = 1\n'
            configure(tmp_path, services, mail=mail, more=bounces)
        up = stack.enter_context(running(tmp_path, "up"))
        address = up.page()
        port = int(re.findall(r":(\d+)/", address)[0])
        request = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        request.sendall(b"POST /subscribe HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf")
        assert work.wait(60)
        assert mailbox.wait(60)
        assert up.end() in {0, -signal.SIGTERM}
    assert "Traceback" not in up.log


# -- several at once ---------------------------------------------------------------------------------------------------


@contextmanager
def sinking(directory: Path) -> Iterator[int]:
    """Run Postfix's smtp-sink, which writes each message to `directory`, on a free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = ("-u", "nobody") if os.geteuid() == 0 else ()  # it will not run as root
    command = [SINK, *user, "-D", str(directory / "messages"), f"127.0.0.1:{port}", "64"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sink:
        try:
            while sink.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
            yield port
        finally:
            sink.terminate()


def feed_of(now: datetime) -> bytes:
    items = "".join(
        f"<item><title>Made-up finding number {number}</title><link>https://feed.example.org/{number}</link>"
        f"<guid>https://feed.example.org/{number}</guid><description>Plain words.</description>"
        f"<pubDate>{now:%a, %d %b %Y %H:%M:%S} +0000</pubDate></item>"
        for number in range(5)
    )
    channel = f"<title>Findings</title><link>https://feed.example.org/</link>{items}"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{channel}</channel></rss>'.encode()


@pytest.mark.slow
@pytest.mark.skipif(not SINK.exists(), reason="smtp-sink is missing: install Debian's postfix")
def test_four_at_once_send_each_reader_one_email(tmp_path, database_url):
    # These processes have the machine's clock, so the slot has to have begun shortly before.
    begun = datetime.now(UTC) - timedelta(minutes=5)
    feed = answering(*[ok(feed_of(begun), "Content-Type: application/rss+xml")] * 20)
    with ExitStack() as stack:
        dump = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        dump.chmod(0o777)  # the sink runs as another user
        source = stack.enter_context(listening(feed))
        port = stack.enter_context(sinking(dump))
        configure(
            tmp_path,
            f'kind = "feed"\nurl = "http://127.0.0.1:{source.port}/feed.xml"',
            mail=f'[mail.smtp]\nhost = "127.0.0.1"\nport = {port}\nconnections = 2\n',
            top=f'database = "{database_url}"',
            schedule=f"{begun.minute} {begun.hour} * * *",
        )
        for number in range(READERS):
            digestmail(tmp_path, "subscribers", "add", f"reader{number}@example.org", "--digest", "daily")
        ups = [stack.enter_context(running(tmp_path, "up")) for _ in range(2)]
        runs = [stack.enter_context(running(tmp_path, "run")) for _ in range(2)]
        for run in runs:
            said, complaints = run.process.communicate(timeout=60)
            assert run.process.returncode == 0, said + complaints
        for up in ups:
            up.until("deliver  |another run is in progress")
        assert [up.end() for up in ups] == [0, 0]
        taken = Counter(re.findall(r"(?m)^X-Rcpt-Args: <([^>]+)>", (dump / "messages").read_text("latin-1")))
    assert taken == {f"reader{number}@example.org": 1 for number in range(READERS)}
    assert "Traceback" not in "".join(up.log for up in ups)
