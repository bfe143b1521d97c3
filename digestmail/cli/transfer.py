"""`digestmail subscribers export` and `import`: people as CSV."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from digestmail.cli.options import ConfigPath, Json, Now, Quiet, open_app, parse_now

if TYPE_CHECKING:
    from digestmail.subscribers.csv_transfer import ImportReport, Line


def export(
    output: Annotated[
        Path | None, typer.Option(help="The output file. Default: standard output.", show_default=False)
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Export all subscribers as CSV, one row per digest, safe to open in a spreadsheet."""
    from digestmail.cli import printing
    from digestmail.subscribers import csv_transfer
    from digestmail.text.counts import counted

    with ExitStack() as stack:
        opened = stack.enter_context(open_app(config))
        out = sys.stdout
        if output is None:
            printing.write_utf8()
        else:
            out = stack.enter_context(open(output, "w", encoding="utf-8", newline="", opener=_private))
        rows = csv_transfer.export(opened.database, out)
    if output is not None:
        sys.stdout.write(f"{counted(rows, 'row')} in {output}\n")


def _private(path: str, flags: int) -> int:
    """Open a file that is new for its owner only: it names people."""
    return os.open(path, flags, 0o600)


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV file with a header, as `export` or a spreadsheet writes it.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what each line would do, without changing anything.")
    ] = False,
    consent_source: Annotated[
        str | None, typer.Option(help="Where people consented, for lines that do not say.", show_default=False)
    ] = None,
    consent_at: Annotated[
        str | None, typer.Option(metavar="DATE", help="When they consented (UTC).", show_default=False)
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="The encoding of the file, such as cp1252. Default: detected.", show_default=False),
    ] = None,
    config: ConfigPath = None,
    now: Now = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Import subscribers who have consented. People who unsubscribed need newer consent."""
    from digestmail.subscribers import csv_transfer

    agreed_at = parse_now(consent_at, "--consent-at")
    with _open_table(file, encoding) as rows, open_app(config, now) as opened:
        moment = opened.clock.now()
        report = csv_transfer.import_people(
            opened.database,
            opened.digests,
            rows,
            moment,
            languages=opened.mail.renderer.languages(),
            consent=csv_transfer.check_consent(consent_source, agreed_at, moment),
            dry_run=dry_run,
            tell=_teller(dry_run=dry_run, silent=json or quiet),
        )
    _finish(report, json=json, quiet=quiet)


def _open_table(file: Path, encoding: str | None) -> TextIO:
    from digestmail.subscribers.csv_dialect import open_table

    try:
        return open_table(file, encoding)
    except LookupError as error:
        raise typer.BadParameter(f"there is no encoding {encoding!r}", param_hint="--encoding") from error


def _teller(*, dry_run: bool, silent: bool) -> Callable[[Line], None]:
    """Return what prints a line's outcome: of a rehearsal all, else what the operator should know about."""
    from digestmail.subscribers.csv_import import RowOutcome

    expected = {RowOutcome.ADDED, RowOutcome.CHANGED, RowOutcome.ALREADY}

    def tell(line: Line) -> None:
        if not silent and (dry_run or line.outcome not in expected):
            sys.stdout.write(f"line {line.number}: {line.why or line.outcome}\n")

    return tell


def _finish(report: ImportReport, *, json: bool, quiet: bool) -> None:
    from digestmail.cli import printing

    if json:
        printing.as_json(report)
    elif report.failed or not quiet:
        _print(report, quiet=quiet)
    if report.failed:
        raise typer.Exit(1)


def _print(report: ImportReport, *, quiet: bool) -> None:
    stream = sys.stderr if quiet else sys.stdout
    if quiet:
        for line in report.failures:
            stream.write(f"line {line.number}: {line.why}\n")
    would = "would be " if report.dry_run else ""
    skipped = "".join(f", {lines} skipped ({why})" for why, lines in report.skipped)
    stream.write(f"{report.added} {would}added, {report.changed} {would}changed{skipped}, {report.failed} failed\n")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(export)
    app.command(name="import")(import_)
