"""The root lists its commands from a table; the table says the same as the commands themselves."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from digestmail.cli.lazy import CommandPlace, Lazy, lazy_group, load
from digestmail.cli.main import COMMANDS, app


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_has_the_first_sentence_of_a_commands_help(name):
    command = load(name, COMMANDS[name].place)
    paragraph = " ".join(command.help.split("\n\n")[0].split())
    assert f"{paragraph.split('. ')[0].rstrip('.')}." == COMMANDS[name].help


def test_the_table_has_every_command_that_a_module_registers():
    for module in {lazy.place.module for lazy in COMMANDS.values() if lazy.place.attribute == "register"}:
        around = typer.Typer(callback=lambda: None)
        getattr(__import__(f"digestmail.cli.{module}", fromlist=["register"]), "register")(around)  # noqa: B009 - found by name
        group: Any = typer.main.get_command(around)
        assert set(group.commands) <= set(COMMANDS), module


def test_a_mistyped_command_is_answered_with_the_nearest_one():
    answer = CliRunner().invoke(app, ["colect"])
    assert answer.exit_code == 2
    assert "'collect'" in answer.output


def test_a_command_that_was_added_directly_is_listed_behind_those_of_the_table():
    program = typer.Typer(cls=lazy_group({"status": Lazy(CommandPlace("start"), "Look.")}), rich_markup_mode=None)

    @program.callback()
    def root() -> None:
        """Show commands."""

    @program.command()
    def here() -> None:
        """Say something."""

    listed = CliRunner().invoke(program, ["--help"]).output
    assert listed.index("Look.") < listed.index("Say something.")
    assert CliRunner().invoke(program, ["here"]).exit_code == 0
    assert "--json" in CliRunner().invoke(program, ["status", "--help"]).output
