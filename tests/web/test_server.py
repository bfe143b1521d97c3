from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from digestmail.web.port_holder import holder_of
from digestmail.web.server import listen

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
[mail]
sender = "digest@example.org"
[[sources]]
name = "hf"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Made-up papers"
schedule = "0 6 * * *"
sources = ["hf"]
"""


def test_the_command_serves_until_it_is_stopped(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG + "[web]\naccess_log = true\n")
    command = [sys.executable, "-m", "digestmail", "web", "--config", str(tmp_path / "config.toml"), "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline().strip()
        try:
            with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - loopback
                assert b"Made-up papers" in answer.read()
                assert answer.headers.get("Server") is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            logged = process.stderr.read()
            assert "level=INFO log=digestmail.web.access method=GET path=/ status=200 ms=" in logged
            assert len(logged.splitlines()) == 1
        finally:
            process.kill()


def test_help_does_not_load_the_server():
    script = "import sys; import digestmail.cli.main; sys.exit(any(m in sys.modules for m in ('fastapi', 'uvicorn')))"
    subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)


def test_a_port_in_use_ends_the_command_and_names_who_uses_it(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = run_web(tmp_path, "--port", str(port))
    name = Path("/proc/self/comm").read_text().strip()
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        f"digestmail: cannot listen on 127.0.0.1:{port}: {name} (process {os.getpid()}) already uses the port; "
        "stop it, or choose another port with --port or [web] port\n"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--host", "192.0.2.77"), "not an address of this machine"),
        (("--host", "no-such-host.invalid"), "not an address of this machine"),
    ],
)
def test_an_address_of_another_machine_ends_the_command(tmp_path, words, says):
    (tmp_path / "config.toml").write_text(CONFIG)
    ended = run_web(tmp_path, *words)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert says in ended.stderr


def run_web(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "digestmail", "web", "--config", str(directory / "config.toml"), *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def test_an_unknown_holder_of_a_port_is_none(tmp_path):
    (tmp_path / "net").mkdir()
    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    row = "   0: 0100007F:1F90 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 4711 1\n"
    (tmp_path / "net" / "tcp").write_text(header + row.format(state="0A"))
    assert holder_of(8080, tmp_path) is None
    fd = tmp_path / "42" / "fd"
    fd.mkdir(parents=True)
    (fd / "3").symlink_to("socket:[4711]")
    (tmp_path / "42" / "comm").write_text("nginx\n")
    assert holder_of(8080, tmp_path) == "nginx (process 42)"
    assert holder_of(8081, tmp_path) is None
    (tmp_path / "net" / "tcp").write_text(header + row.format(state="01"))
    assert holder_of(8080, tmp_path) is None, "a connection is not a listener"
    assert holder_of(8080, tmp_path / "missing") is None


def test_both_families_are_served_on_the_address_of_all():
    with listen("::", 0) as listener:
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, listener.getsockname()[1]), timeout=20).close()
