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
    from digestmail.cli import check_text, printing
    from digestmail.status.check import check as look

    with open_app(config, now) as app:
        result = look(app, connect=connect)
    if json:
        printing.as_json(result)
    elif result.problems or not quiet:
        check_text.show(result)
    if result.problems:
        raise typer.Exit(1)


def status(config: ConfigPath = None, now: Now = None, json: Json = False) -> None:
    """Show on one screen how digestmail is doing, and what needs you. Exits with 1 if something does."""
    from digestmail.cli import printing, status_text
    from digestmail.status.overview import status as look

    with open_app(config, now) as app:
        found = look(app)
    if json:
        printing.as_json(found)
    else:
        status_text.show(found)
    if found.check.problems:
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
    for command in (check, status, demo):
        app.command()(command)
