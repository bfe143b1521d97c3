"""The program `digestmail`. Only the CLI library is imported here: `--help` must answer at once."""

from __future__ import annotations

import gc
import io
import re
import sys
from typing import Annotated, Final

import typer

from digestmail import __version__
from digestmail.cli.lazy import CommandPlace, Lazy, lazy_group
from digestmail.cli.options import ConfigPath

COMMANDS: Final = {
    "init": Lazy(CommandPlace("init"), "Write a small working configuration."),
    "check": Lazy(
        CommandPlace("start"),
        "Check the configuration, database and templates, and show the state of sources, schedule and outbox.",
    ),
    "status": Lazy(CommandPlace("start"), "Show on one screen how digestmail is doing, and what needs you."),
    "demo": Lazy(
        CommandPlace("start"),
        "Collect, publish and deliver a bundled sample into a mailbox on disk, without network access.",
    ),
    "run": Lazy(CommandPlace("pipeline"), "Collect, publish and deliver everything that is due."),
    "collect": Lazy(CommandPlace("pipeline"), "Read every source and store the papers."),
    "publish": Lazy(
        CommandPlace("pipeline"),
        "Publish every digest that is due: create the edition and queue one delivery per subscriber.",
    ),
    "deliver": Lazy(CommandPlace("pipeline"), "Send the queued deliveries that are due, then editions to outputs."),
    "send": Lazy(
        CommandPlace("pipeline"),
        "Send an edition that is out to subscribers who did not get it, such as those who subscribed since.",
    ),
    "doctor": Lazy(
        CommandPlace("doctor"), "Run `check`, and examine DNS records, mail servers, web pages, clock and disk."
    ),
    "announce": Lazy(CommandPlace("announce"), "Send a Markdown file once to all readers of a digest."),
    "up": Lazy(
        CommandPlace("up"),
        "Do everything until SIGTERM: collect, publish and deliver on schedule, read bounces, serve the web pages.",
    ),
    "worker": Lazy(
        CommandPlace("worker"),
        "Share the work with other workers, on this machine and others, until SIGTERM.",
    ),
    "web": Lazy(CommandPlace("servers"), "Serve the web pages, feeds and API over HTTP until SIGTERM."),
    "preview": Lazy(CommandPlace("servers"), "Show an email in the browser as subscribers receive it."),
    "bounces": Lazy(
        CommandPlace("bounces"),
        'Process bounces, complaints and unsubscribe emails; with kind = "listen", run until SIGTERM.',
    ),
    "explain": Lazy(CommandPlace("show"), "Explain for every digest why a paper was, will be or will not be selected."),
    "backtest": Lazy(
        CommandPlace("backtest"), "Compare what another configuration would have sent with the stored papers."
    ),
    "backup": Lazy(CommandPlace("database"), "Write a consistent copy of the database to FILE, while it is in use."),
    "restore": Lazy(CommandPlace("database"), "Replace the database by a backup."),
    "suppressions": Lazy(CommandPlace("bounces", "suppressed"), "Addresses that receive no email, and why."),
    "config": Lazy(CommandPlace("configuration", "app"), "The configuration: where it is, show it, edit it."),
    "sources": Lazy(CommandPlace("sources", "app"), "Where papers come from."),
    "subscribers": Lazy(CommandPlace("subscribers", "app"), "Subscribers and their subscriptions."),
    "deliveries": Lazy(CommandPlace("deliveries", "app"), "Deliveries, their attempts and their results."),
    "outputs": Lazy(CommandPlace("outputs", "app"), "Outputs beside email: webhooks, chats, files."),
    "dkim": Lazy(CommandPlace("dkim", "app"), "DKIM keys and their DNS records."),
    "oauth": Lazy(CommandPlace("oauth", "app"), "OAuth 2 logins to mail servers."),
    "secrets": Lazy(CommandPlace("secrets", "app"), "Secrets that sign the links in emails."),
    "papers": Lazy(CommandPlace("show", "papers"), "Papers that the sources listed."),
    "editions": Lazy(CommandPlace("show", "editions"), "Published editions."),
    "topics": Lazy(CommandPlace("topics", "app"), "Choose and tune topics."),
    "templates": Lazy(CommandPlace("templates", "app"), "List, copy and check templates."),
    "database": Lazy(CommandPlace("database", "database"), "Check the database, and tidy it up."),
}
"""Where each command is. The modules are imported when a command is used, not for `--help`."""

app = typer.Typer(
    name="digestmail",
    cls=lazy_group(COMMANDS),
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


def main() -> None:
    """Run the program. Exit codes: 0 done, 1 something failed, 2 usage or configuration."""
    look_for_cycles_less_often()
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


def look_for_cycles_less_often() -> None:
    """Have Python look for unreachable cycles after 50,000 new objects instead of 700.

    Nearly all new objects are modules, classes and rows, which are no garbage: looking through them took a ninth of a
    run with nothing due, and of picking papers for readers.
    """
    gc.set_threshold(50_000, 20, 20)


def _write_anywhere() -> None:
    """Write what the terminal's encoding has no character for as an escape: a title must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
