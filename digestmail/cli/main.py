"""The program `digestmail`. Only the CLI library is imported here: `--help` must answer at once."""

from __future__ import annotations

import io
import re
import sys
from typing import Annotated

import typer

from digestmail import __version__
from digestmail.cli import (
    announce,
    backtest,
    bounces,
    configuration,
    database,
    deliveries,
    dkim,
    doctor,
    init,
    oauth,
    outputs,
    pipeline,
    secrets,
    servers,
    show,
    sources,
    start,
    subscribers,
    templates,
    topics,
    up,
)
from digestmail.cli.options import ConfigPath

app = typer.Typer(
    name="digestmail",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


_SURROGATE = re.compile("[\ud800-\udfff]")
"""A byte of an argument that Python could not decode."""


def print_version(wanted: bool) -> None:
    """Print the version and end the program, if `--version` was given."""
    if wanted:
        sys.stdout.write(f"digestmail {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    config: ConfigPath = None,
) -> None:
    """Trending papers in your inbox, from your own server."""


init.register(app)
start.register(app)
pipeline.register(app)
doctor.register(app)
announce.register(app)
up.register(app)
servers.register(app)
bounces.register(app)
app.add_typer(configuration.app, name="config")
app.add_typer(sources.app, name="sources")
app.add_typer(subscribers.app, name="subscribers")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(outputs.app, name="outputs")
app.add_typer(dkim.app, name="dkim")
app.add_typer(oauth.app, name="oauth")
app.add_typer(secrets.app, name="secrets")
app.add_typer(show.papers, name="papers")
app.add_typer(show.editions, name="editions")
app.add_typer(topics.app, name="topics")
app.add_typer(templates.app, name="templates")
show.register(app)
backtest.register(app)
database.register(app)


def main() -> None:
    """Run the program. Exit codes: 0 done, 1 something failed, 2 usage or configuration."""
    _write_anywhere()
    try:
        app()
    except UnicodeEncodeError as error:
        if not any(map(_SURROGATE.search, sys.argv)):
            raise
        sys.stderr.write(f"digestmail: {error.object!r} is not text in this terminal's encoding; write it in UTF-8\n")
        sys.exit(2)
    except Exception as error:
        # Errors raised on purpose are sentences for the operator; anything else is a bug and keeps its traceback.
        from digestmail.errors import ConfigError, DigestmailError

        if not isinstance(error, DigestmailError | OSError):
            raise
        sys.stderr.write("".join(f"digestmail: {line}\n" for line in str(error).splitlines()))
        sys.exit(2 if isinstance(error, ConfigError) else 1)


def _write_anywhere() -> None:
    """Write what the terminal's encoding has no character for as an escape: a title must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
