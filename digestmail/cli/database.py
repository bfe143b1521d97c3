"""`digestmail backup`, `restore` and `database`: copies of the database, and its upkeep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from digestmail.cli.options import ConfigPath, open_app

database = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check the database, and tidy it up.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(backup)
    app.command()(restore)
    app.add_typer(database, name="database")


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file. It contains your subscribers' addresses.")],
    config: ConfigPath = None,
) -> None:
    """Write a consistent copy of the database to FILE, while it is in use."""
    from digestmail.wiring.upkeep import back_up

    with open_app(config) as opened:
        size = back_up(opened.database, file)
    sys.stdout.write(f"{file}: {size:,} bytes\n")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `digestmail backup` wrote.")],
    config: ConfigPath = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replace the database by a backup. The present one is backed up first; nothing is sent again."""
    from digestmail.delivery.restore import backup_text
    from digestmail.text.counts import counted
    from digestmail.wiring import upkeep

    with open_app(config) as opened:
        if not yes:
            typer.confirm(f"Replace the database by {file}?", abort=True)
        now = opened.wall_clock.now()
        kept, cancelled = upkeep.restore(opened.config, opened.base, opened.epoch, file, now)
    sys.stdout.write(
        f"{backup_text(file, kept)}\n"
        f"{counted(cancelled, 'open delivery')} cancelled; slots that began before now get no edition\n"
    )


@database.command()
def check(config: ConfigPath = None) -> None:
    """Read the whole database, and say whether a part of it is damaged."""
    from digestmail.wiring import upkeep

    with open_app(config) as opened:
        tables = upkeep.check(opened.database)
        size = upkeep.size(opened.database)
    sys.stdout.write(f"{tables} tables and {size:,} bytes: no damage found\n")


@database.command()
def vacuum(config: ConfigPath = None) -> None:
    """Give unused space back to the disk. Nothing else can write meanwhile."""
    from digestmail.wiring import upkeep

    with open_app(config) as opened:
        before = upkeep.size(opened.database)
        upkeep.vacuum(opened.database)
        after = upkeep.size(opened.database)
    sys.stdout.write(f"{before:,} bytes before, {after:,} bytes now\n")
