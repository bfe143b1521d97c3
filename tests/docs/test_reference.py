"""Every command, argument, option and configuration key is documented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import typer
import typer.cli
from pydantic import BaseModel
from typer.testing import CliRunner

from digestmail.cli.main import app
from digestmail.config.settings import Config

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = (ROOT / "docs/cli.md").read_text("utf-8")
EXAMPLE = (ROOT / "config.example.toml").read_text("utf-8")
SAME_KEYS = {
    "mail.fallback": "mail.smtp",
    "mail.fallback.oauth": "mail.smtp.oauth",
    "bounces.oauth": "mail.smtp.oauth",
    "sources.keep": "sources.block",
    "digests.block": "sources.block",
    "digests.keep": "sources.block",
}
"""Tables whose keys the example shows once, in another table."""


def commands(command: object, path: str = "digestmail") -> Iterator[tuple[str, object]]:
    """Yield each command with its name, including groups."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}")


COMMANDS = dict(commands(typer.main.get_command(app)))


def section(path: str) -> str:
    """Return the section of docs/cli.md about one command."""
    found = re.search(rf"^#+ `{re.escape(path)}`$(.*?)(?=^#|\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def models(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models of a field: `Model`, `Model | None`, `tuple[Model, ...]`, unions of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models(inner)


def keys(model: type[BaseModel], table: str = "") -> Iterator[tuple[str, str]]:
    """Yield every key the configuration may have, as (table, key)."""
    for name, field in model.model_fields.items():
        children = list(models(field.annotation))
        for child in children:
            yield from keys(child, f"{table}.{name}".strip("."))
        if not children:
            yield table, name


def documented() -> set[tuple[str, str]]:
    """Return every key the example shows or shows as a comment, as (table, key)."""
    found, table = set(), ""
    for line in EXAMPLE.splitlines():
        if header := re.fullmatch(r"#?\[+([\w.]+)\]+", line):
            table = header[1]
        elif pair := re.match(r"#?(\w+) =", line):
            found.add((table, pair[1]))
    return found


def test_the_command_line_reference_is_current():
    arguments = ["digestmail.cli.main", "utils", "docs", "--name", "digestmail", "--title"]
    written = CliRunner().invoke(typer.cli.app, [*arguments, "Command line reference"])

    assert written.exit_code == 0
    assert written.stdout.strip() == REFERENCE.strip(), "run `make reference`"


@pytest.mark.parametrize("path", COMMANDS)
def test_the_reference_has_every_command_with_every_option_and_argument(path):
    text = section(path) if path != "digestmail" else REFERENCE

    assert text.strip(), f"{path} has no section"
    for parameter in COMMANDS[path].params:
        for name in [*parameter.opts, *parameter.secondary_opts]:
            written = name if name.startswith("-") else (parameter.metavar or name.upper())
            assert written in text, f"{path} {written}"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_and_argument_has_a_help_text(path):
    unexplained = [parameter.opts[-1] for parameter in COMMANDS[path].params if not parameter.help]

    assert not unexplained


def test_the_example_configuration_has_every_key():
    wanted = {(SAME_KEYS.get(table, table), key) for table, key in keys(Config)}

    assert sorted(wanted - documented()) == []
    assert len(wanted) > 50
