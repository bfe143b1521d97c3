"""The tutorial works: its commands are run in order, with its own files, against the bundled sample on loopback."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import typer
from clirun import digestmail

from digestmail.cli.main import app
from digestmail.config.load import load
from digestmail.demo.receiver import receiving
from digestmail.demo.services import serving

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "docs/tutorial.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
SHELL = {"mkdir", "printf", "chmod"}
"""Commands beside digestmail that the tutorial may use; they are run too."""
MORNING = "2026-04-02T12:00:00Z"
"""The sample is of this day, so commands that take a time get this one."""
TABLE = re.compile(r"^\[+[\w.]+\]+$(?:(?!^\[).*\n?)*", re.MULTILINE)


@dataclass
class Reader:
    """Follows the tutorial, with its sources and mail server replaced by ones on loopback."""

    directory: Path
    services: str
    smtp: tuple[str, int]
    written: str = ""
    """The configuration as the tutorial has it."""
    said: list[str] = field(default_factory=list)

    def type(self, line: str) -> None:
        """Run one line of a shell block."""
        words = shlex.split(line)
        if words[0] == "cd":
            self.directory /= words[1]
        elif words[0] == "digestmail":
            self.said.append(digestmail(self.directory, *words[1:], *time_of(words[1:])))
            if words[1] == "init":
                self.save((self.directory / "config.toml").read_text("utf-8"))
        else:
            assert words[0] in SHELL, line
            subprocess.run(["sh", "-c", line], cwd=self.directory, check=True)

    def edit(self, block: str) -> None:
        """Use a TOML block: an entire configuration, or tables that replace those of the same name or are added."""
        names = {table.partition("\n")[0] for table in TABLE.findall(block)}
        kept = [table for table in TABLE.findall(self.written) if table.partition("\n")[0] not in names]
        if "[mail]" in names:
            kept = [table for table in kept if not table.startswith("[mail.maildir]")]
        self.save(block if "[[sources]]" in names else block + "\n" + "".join(kept))

    def save(self, text: str) -> None:
        """Write the configuration, after checking that it loads."""
        self.written = text
        path = self.directory / "config.toml"
        path.write_text(text, "utf-8")
        load(path, environment=None)
        host, port = self.smtp
        sourced = re.compile(r'^(kind = "(?:huggingface|arxiv-feed)")$', re.MULTILINE)
        path.write_text(
            sourced.sub(rf'\1\nbase_url = "{self.services}"', text)
            .replace('host = "smtp.example.org"\nport = 587\nsecurity = "starttls"', f'host = "{host}"\nport = {port}')
            .replace('username = "digest"\npassword_file = "smtp-password"\n', "")
            + '\n[network]\nallow_private_hosts = ["127.0.0.1"]\n',
            "utf-8",
        )


def time_of(words: list[str]) -> list[str]:
    """Return the option that sets the time of a command, if it has one."""
    command = typer.main.get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    return ["--now", MORNING] if any("--now" in parameter.opts for parameter in command.params) else []


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with serving() as services, receiving(tmp_path / "received") as smtp:
        yield Reader(tmp_path, services, smtp)


@pytest.mark.slow
def test_the_tutorial_leads_from_nothing_to_a_lab_s_digest(reader: Reader) -> None:
    for language, block in BLOCKS:
        if language == "sh":
            for line in block.splitlines():
                reader.type(line)
        elif language == "toml":
            reader.edit(block)
        elif language == "csv":
            (reader.directory / "people.csv").write_text(block, "utf-8")

    lab = reader.directory
    (message,) = (lab / "mail/new").iterdir()
    assert b"Delivered-To: you@example.org" in message.read_bytes()
    assert (lab / "smtp-password").stat().st_mode & 0o777 == 0o600
    assert (lab / "preview/mail.html").is_file()
    people = digestmail(lab, "subscribers", "list")
    assert all(address in people for address in ("you@example.org", "ada@example.org", "grace@example.org"))


def test_blocks_that_are_not_run_hold_only_what_a_test_cannot_do() -> None:
    """Installing needs the network, and a preview needs a browser; the crontab line is in a block without a name."""
    shown = [line for language, block in BLOCKS if language == "console" for line in block.splitlines()]

    assert {language for language, _ in BLOCKS} == {"console", "csv", "sh", "toml", ""}
    not_run = re.compile(r"\$ (python3 -m venv|~/digestmail/bin/pip install|export PATH=|digestmail preview$)")
    assert [line for line in shown if not not_run.match(line)] == []
