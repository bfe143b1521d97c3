"""`digestmail secrets`: what signs links, return paths and Message-IDs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from digestmail.cli.options import ConfigPath, Quiet, open_app

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What signs the links in mails.")


@app.callback()
def group() -> None:
    """Stand above the commands: with one of them alone Typer would leave its name out."""


@app.command()
def rotate(
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget the old secrets: every link sent until now stops working.")
    ] = False,
    config: ConfigPath = None,
    quiet: Quiet = False,
) -> None:
    """Sign with a new secret from now on. Links signed with the old ones keep working, unless they are forgotten."""
    from digestmail.delivery.secrets import rotate_secrets

    with open_app(config) as opened:
        kept = rotate_secrets(opened.database, opened.epoch(), forget=forget)
    if not quiet:
        sys.stdout.write(f"a new secret signs; {kept - 1} older ones still verify\n")
