from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

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
