"""What the documents say is true: links lead somewhere, commands exist, the README's configuration loads."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from digestmail.cli.main import app
from digestmail.config.load import load

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text("utf-8")


def commands() -> set[str]:
    """Return every command as you type it: `run`, `subscribers add`, ..."""
    root = typer.main.get_command(app)
    found = set()
    for name, command in root.commands.items():
        found.add(name)
        found |= {f"{name} {sub}" for sub in getattr(command, "commands", {})}
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(path):
    for target in re.findall(r"\]\((?!https?://|mailto:|#)([^)#]+)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


def named_commands(text: str) -> list[tuple[str, str]]:
    """Return the command and the word after it, for everything that a page asks you to type."""
    blocks = "\n".join(re.findall(r"^```\w*$(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    typed = re.findall(r"(?:^|[/ ]|/digestmail\" )digestmail ([a-z]+)(?: ([a-z-]+))?", blocks, re.MULTILINE)
    return typed + re.findall(r"`digestmail ([a-z]+)(?: ([a-z-]+))?", prose)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists(path):
    known = commands()
    groups = {name.split()[0] for name in known if " " in name}
    for first, second in named_commands(path.read_text("utf-8")):
        if first == "digestmail":  # as the name of a user, before the command
            continue
        assert first in known, first
        assert first not in groups or not second or f"{first} {second}" in known, f"{first} {second}"


SOURCES = sorted(
    [ROOT / "config.example.toml", *(ROOT / "digestmail").rglob("*.py"), *(ROOT / "templates").rglob("*.*")]
)


def test_every_command_that_a_message_names_exists():
    known = commands()
    groups = {name.split()[0] for name in known if " " in name}
    wrong = [
        f"{path.relative_to(ROOT)}: {first} {second}"
        for path in SOURCES
        if path.suffix in {".py", ".toml", ".html", ".txt", ".po"}
        for first, second in re.findall(r"`digestmail ([a-z]+)(?: ([a-z-]+))?", path.read_text("utf-8"))
        if first not in known or (first in groups and second and f"{first} {second}" not in known)
    ]
    assert wrong == []


def test_the_readme_s_configuration_loads(tmp_path):
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert tomllib.loads(block)
    (tmp_path / "smtp-password").write_text("secret")
    (tmp_path / "config.toml").write_text(block, "utf-8")
    assert load(tmp_path / "config.toml").digest_values()[0].name == "daily"


def test_the_makefile_has_the_targets_that_are_named():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for path in DOCUMENTS:
        for quoted, listed in re.findall(r"`make ([a-z]+)|^make ([a-z]+) +#", path.read_text("utf-8"), re.MULTILINE):
            assert re.search(rf"^{quoted or listed}:", makefile, re.MULTILINE), path


def test_every_decision_is_listed():
    index = (ROOT / "docs/decisions/README.md").read_text("utf-8")
    for path in (ROOT / "docs/decisions").glob("0*.md"):
        assert path.name in index


def test_every_command_has_a_help_text():
    for command in commands():
        answer = CliRunner().invoke(app, [*command.split(), "--help"])
        assert answer.exit_code == 0
        assert len(answer.output.splitlines()) > 3
