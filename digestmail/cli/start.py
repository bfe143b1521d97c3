"""`check`, `demo`: with `init`, the first commands a newcomer types."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from digestmail.cli.options import ConfigPath, Json, Now, Quiet, open_app


def check(
    config: ConfigPath = None,
    now: Now = None,
    json: Json = False,
    quiet: Quiet = False,
    connect: Annotated[
        bool,
        typer.Option(
            "--connect",
            help="Also connect to the mail servers, to the IMAP server for bounces, and to the services that have the "
            "reading lists in [profile].",
        ),
    ] = False,
) -> None:
    """Check the configuration, database and templates, and show the state of sources, schedule and outbox."""
    from digestmail.cli import check, printing

    with open_app(config, now) as app:
        result = check.check(app, connect=connect)
    if json:
        printing.as_json(result)
    elif result.problems or not quiet:
        check.show(result)
    if result.problems:
        raise typer.Exit(1)


def demo(
    output: Annotated[Path, typer.Option(help="The output directory.")] = Path("demo-out"),
    json: Json = False,
) -> None:
    """Collect, publish and deliver a bundled sample into a mailbox on disk, without network access."""
    from digestmail.cli import printing
    from digestmail.demo.run import demonstrate

    report = demonstrate(output)
    if json:
        printing.as_json(report)
        return
    for line in printing.lines(report.run):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(
        f"\nmessage as received:  {report.mail}\n"
        f"page to open:         {report.page}\n"
        f"text part:            {report.text}\n"
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (check, demo):
        app.command()(command)
