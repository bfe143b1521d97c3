"""`digestmail sources`: list, test, add, import, export, and read parked ones again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, Json, open_app

if TYPE_CHECKING:
    from digestmail.config.source_tables import NewSources

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Where papers come from.")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be appended, but write nothing.")]


@app.command(name="list")
def list_sources(
    config: ConfigPath = None,
    json: Json = False,
    kinds: Annotated[bool, typer.Option("--kinds", help="List the kinds of sources there are instead.")] = False,
) -> None:
    """List the sources, where they are, and how their last reading went."""
    from digestmail.cli import printing, source_text

    if kinds:
        known = source_text.kinds()
        printing.as_json(known) if json else source_text.show_kinds(known)
        return
    with open_app(config) as opened:
        rows = source_text.rows(opened)
    if json:
        printing.as_json(rows)
    else:
        source_text.show_rows(rows)


@app.command(name="test")
def try_source(
    source: Annotated[str, typer.Argument(metavar="NAME_OR_URL", help="A configured source, or any address.")],
    config: ConfigPath = None,
    json: Json = False,
) -> None:
    """Fetch a source once, and print its first papers and what is wrong with it. No paper is stored."""
    from dataclasses import replace

    from digestmail.cli import printing, source_text

    with open_app(config) as opened:
        trial = source_text.try_out(opened, source)
    if json:
        printing.as_json(replace(trial, address=trial.shown))
    else:
        source_text.show_trial(trial)


@app.command()
def add(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A feed, a web page that names its feed, or a page of a known service.")
    ],
    config: ConfigPath = None,
    name: Annotated[
        str | None, typer.Option(help="The name of the source. Default: made of the feed's title.", show_default=False)
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Fetch a feed or service and append it to the configuration file."""
    from digestmail.cli import source_text
    from digestmail.config.source_tables import check_name, new_sources

    with open_app(config) as opened:
        if name is not None:
            check_name(name, opened.config.sources)
        trial = source_text.try_out_url(opened, url)
        found = new_sources([(name or trial.title, trial.address)], opened.config.sources)
    source_text.show_trial(trial)
    _append(config, found, dry_run=dry_run)
    if found.refused or not found.tables:
        raise typer.Exit(1)


@app.command(name="import")
def import_opml(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An OPML file; - reads standard input.")],
    config: ConfigPath = None,
    dry_run: DryRun = False,
) -> None:
    """Append the feeds of an OPML file to the configuration file. Feeds that are configured already are skipped."""
    from digestmail.config.source_tables import new_sources
    from digestmail.sources.opml import parse_opml

    outlines = parse_opml(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    with open_app(config) as opened:
        found = new_sources([(each.title, each.url) for each in outlines], opened.config.sources)
    _append(config, found, dry_run=dry_run)
    if found.refused:
        raise typer.Exit(1)


@app.command()
def export(config: ConfigPath = None) -> None:
    """Print the feeds as OPML 2.0, for a feed reader. Passwords are left out, but not tokens in addresses."""
    from digestmail.config.source_tables import addresses_of
    from digestmail.sources.opml import Outline, render_opml

    with open_app(config) as opened:
        tables, now = opened.config.sources, opened.clock.now()
    outlines = [Outline(title=table.title or table.name, url=url) for table in tables for url in addresses_of(table)]
    sys.stdout.write(render_opml(outlines, title="digestmail", now=now))
    if left_out := [table.name for table in tables if not addresses_of(table)]:
        sys.stderr.write(f"left out, because they are no feeds: {', '.join(left_out)}\n")


@app.command()
def retry(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A parked source, or a list of them.")],
    config: ConfigPath = None,
) -> None:
    """Have the next run read a parked source again."""
    from digestmail.cli import source_text
    from digestmail.collect.collector import end_parking

    with open_app(config) as opened:
        tables = source_text.find_tables(opened.config, name)
        parked = [one for one in tables if end_parking(opened.database, one.name)]
    said = [f"the next run reads {one.shown_name}" for one in parked] or [f"{name} is not parked; every run reads it"]
    sys.stdout.write("".join(f"{line}\n" for line in said))


def _append(config: Path | None, found: NewSources, *, dry_run: bool) -> None:
    from digestmail.cli import source_text
    from digestmail.config.places import find_path
    from digestmail.config.source_tables import append, as_toml
    from digestmail.errors import ConfigError, DigestmailError

    path = find_path(config)
    text = as_toml(found.tables)
    if found.tables and not dry_run:
        try:
            text = append(path, found.tables)
        except (OSError, ConfigError) as error:
            sys.stdout.write(f"{text}\n")
            why = f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error)
            raise DigestmailError(f"{why}; nothing was written: append the lines above yourself") from error
    source_text.show_added(path, found, text, dry_run=dry_run)
