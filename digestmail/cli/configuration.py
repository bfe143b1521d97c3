"""`digestmail config`: which file is used, what is in effect, and an editor that checks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from digestmail.cli.options import ConfigPath

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The configuration: where it is, show it, edit it.")


@app.command()
def path(config: ConfigPath = None) -> None:
    """Print the path of the configuration file that is used."""
    sys.stdout.write(f"{_existing(config)}\n")


@app.command()
def show(config: ConfigPath = None) -> None:
    """Print the values that are in effect as TOML, each with what set it, and without secrets."""
    import os

    from digestmail.config.load import load, read_table
    from digestmail.config.shown import shown_lines

    found = _existing(config)
    raw, loaded = read_table(found), load(found)
    sys.stdout.write(f"# {found}\n" + "".join(f"{line}\n" for line in shown_lines(loaded, raw, os.environ)))


@app.command()
def edit(config: ConfigPath = None) -> None:
    """Edit the configuration with $VISUAL or $EDITOR. It is replaced only by one that is valid."""
    from digestmail.cli.config_edit import edit_file

    edit_file(_existing(config).resolve())


def _existing(given: Path | None) -> Path:
    """Return the absolute path of the configuration that is used. Raises ConfigError if there is none."""
    from digestmail.config.load import read_table
    from digestmail.config.places import find_path
    from digestmail.errors import ConfigError

    found = find_path(given)
    if not found.is_file():
        read_table(found)  # which says what is wrong
        raise ConfigError([f"{found.absolute()} is not a file"])
    return found.absolute()
