"""`digestmail secrets`: what signs links, return paths and Message-IDs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from digestmail.cli.options import ConfigPath, Quiet, open_app

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Secrets that sign the links in emails.")


@app.callback()
def group() -> None:
    """Stand above the commands: with one of them alone Typer would leave its name out."""


@app.command()
def rotate(
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete the old secrets. All links sent so far stop working.")
    ] = False,
    config: ConfigPath = None,
    quiet: Quiet = False,
) -> None:
    """Create a new signing secret. Links signed with old secrets keep working unless you use --forget."""
    from digestmail.delivery.secrets import rotate_secrets
    from digestmail.text.counts import counted

    with open_app(config) as opened:
        kept = rotate_secrets(opened.database, opened.epoch(), forget=forget)
    if not quiet:
        sys.stdout.write(f"created a new signing secret; {counted(kept - 1, 'older secret')} still accepted\n")
