"""The README works: its commands are run in order, as a newcomer types them, with an empty home and a minimal PATH.

Sources and mail server are on loopback. Installing with pip needs the network, so the program comes from the
environment of the tests, and `make` uses it too. What cannot be run here is listed below with the reason, and anything
that is neither run nor listed fails.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from digestmail.demo.receiver import receiving
from digestmail.demo.services import serving

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LINES = [line.split("#")[0].strip() for language, block in BLOCKS if language == "sh" for line in block.splitlines()]
MORNING = "2026-04-02T12:00:00Z"
"""The sample is of this day."""
NOT_RUN = {
    "make test": "it is what runs this test",
    "digestmail doctor": "asks the DNS about example.org; tests/cli/test_doctor.py has a DNS of its own",
    "pipx install .": "needs the network; tests/e2e/test_wheel.py installs the wheel without it",
}
TIMED = {"run", "check"}
"""Commands that get the time of the sample."""


@dataclass
class Newcomer:
    """A person in an empty directory, with nothing in the environment but a home and a PATH."""

    home: Path
    services: str
    smtp: tuple[str, int]
    said: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "LANG": "C"}

    def type(self, line: str) -> None:
        """Run one line; the sources and the mail server in it are those on loopback."""
        words = [word.replace("localhost:25", "{}:{}".format(*self.smtp)) for word in shlex.split(line)]
        if words[0] == "digestmail" and words[1] in TIMED:
            words += ["--now", MORNING]
        done = subprocess.run(
            words, cwd=self.home, env=self.environment(), capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        self.said[line] = done.stdout
        if words[:2] == ["digestmail", "init"]:
            self.use_loopback()

    def use_loopback(self) -> None:
        """Point the configuration that `init` wrote to the sample."""
        path = self.home / "config.toml"
        text, count = re.subn(r'(?m)^(kind = "huggingface")$', rf'\1\nbase_url = "{self.services}"', path.read_text())
        assert count == 1, text
        path.write_text(text + '\n[network]\nallow_private_hosts = ["127.0.0.1"]\n')


@pytest.fixture
def newcomer(tmp_path) -> Iterator[Newcomer]:
    home = tmp_path / "home"
    home.mkdir()
    with serving() as services, receiving(tmp_path / "received") as smtp:
        yield Newcomer(home, services, smtp)


def test_every_command_of_the_readme_is_run_or_has_a_reason():
    commands = [line for line in LINES if line]
    assert commands[:2] == ["make demo", "make test"]
    unknown = [line for line in commands if line not in NOT_RUN and line.split()[0] not in {"digestmail", "make"}]
    assert unknown == []
    assert NOT_RUN.keys() <= set(commands)


@pytest.mark.slow
def test_a_newcomer_gets_an_email_by_typing_what_the_readme_says(newcomer, tmp_path):
    for line in LINES:
        if line.startswith("digestmail ") and line not in NOT_RUN:
            newcomer.type(line)
    assert newcomer.said["digestmail check"].endswith("all well\n")
    assert "nothing was stored or sent" in newcomer.said["digestmail run --dry-run"]
    assert "1 sent" in newcomer.said["digestmail run"]
    messages = [path for path in (tmp_path / "received").rglob("*") if path.is_file()]
    assert len(messages) == 1
    assert b"you@example.org" in messages[0].read_bytes()


@pytest.mark.slow
def test_the_cron_line_of_the_readme_says_nothing_when_all_is_well(newcomer):
    (cron,) = [block for language, block in BLOCKS if not language and block.startswith("17 ")]
    command = " ".join(cron.split()[5:])
    for line in LINES:
        if line.startswith(("digestmail init", "digestmail subscribers")):
            newcomer.type(line)
    newcomer.type(command.replace("/etc/digestmail/config.toml", str(newcomer.home / "config.toml")))
    assert list(newcomer.said.values())[-1] == ""


@pytest.mark.slow
def test_digestmail_up_serves_the_pages_of_what_init_wrote(newcomer):
    for line in LINES:
        if line.startswith(("digestmail init", "digestmail subscribers", "digestmail run")):
            newcomer.type(line)
    assert "digestmail up" in README
    with subprocess.Popen(
        ["digestmail", "up", "--port", "0"], cwd=newcomer.home, env=newcomer.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as up:  # fmt: skip
        try:
            assert up.stdout is not None
            address = up.stdout.readline().strip()
            with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - loopback
                assert answer.status == 200
                assert "Trending papers" in answer.read().decode()
            up.send_signal(signal.SIGTERM)
            _, complaints = up.communicate(timeout=60)
        finally:
            up.kill()
    assert up.returncode == 0
    assert "Traceback" not in complaints


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing: install Debian's make")
def test_make_demo_saves_a_message_and_a_page(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    source = tmp_path / "digestmail"
    shutil.copytree(
        ROOT,
        source,
        ignore=shutil.ignore_patterns(".git", ".venv", ".*_cache", "demo-out", "__pycache__", "*.db", "dist"),
    )
    # The environment that `make` would fill from the network is lent by the tests.
    (source / ".venv/bin").mkdir(parents=True)
    for name in ("python", "digestmail"):
        (source / ".venv/bin" / name).symlink_to(Path(sys.executable).parent / name)
    (source / ".venv/.runtime").touch()
    os.utime(source / ".venv/.runtime", (2**31, 2**31))
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C"}
    done = subprocess.run(
        ["make", "demo"], cwd=source, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "1 sent" in done.stdout
    named = dict(re.findall(r"^(message as received|page to open|text part): +(.+)$", done.stdout, re.MULTILINE))
    assert all((source / path).is_file() for path in named.values())
    assert len(named) == 3
    assert (source / "demo-out/mail.html").is_file(), "which the README says to open"
