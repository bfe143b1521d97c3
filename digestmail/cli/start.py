"""`init`, `check`, `demo`: the first three commands a newcomer types."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from digestmail.cli.options import ConfigPath, Json, Now, Quiet, open_app

Checked = TypeVar("Checked")


def init(
    sender: Annotated[str, typer.Option(help="The sender address of the digest.")],
    config: ConfigPath = None,
    maildir: Annotated[
        Path | None, typer.Option(help="Deliver into this Maildir instead of an SMTP server.", show_default=False)
    ] = None,
    smtp: Annotated[
        str,
        typer.Option(
            "--smtp",
            "--server",
            metavar="HOST[:PORT]",
            help="The SMTP server. Port 465 means TLS, 587 STARTTLS. Write an IPv6 address in brackets.",
        ),
    ] = "localhost:25",
) -> None:
    """Write a small working configuration. An existing file is never overwritten."""
    from digestmail.cli.config_template import parse_server, starter
    from digestmail.config.places import new_path
    from digestmail.config.values import check_mailbox

    path = new_path(config)
    mailbox, server = _checked("--sender", check_mailbox, sender), _checked("--smtp", parse_server, smtp)
    _write_new(path, starter(mailbox, maildir, server))
    option = f" --config {path}" if config is not None else ""
    sys.stdout.write(
        f"wrote {path}\n"
        f"next:  digestmail subscribers add YOU@example.org{option}\n"
        f"       digestmail check{option}\n"
        f"       digestmail run --dry-run{option}\n"
        f"       digestmail run{option}\n"
    )


def _checked(option: str, check: Callable[[str], Checked], given: str) -> Checked:
    """Return what `check` makes of the value of an option. Raises typer.BadParameter."""
    try:
        return check(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _write_new(path: Path, text: str) -> None:
    """Write a configuration that loads, into a file that is new. Raises DigestmailError."""
    from digestmail.config.load import load
    from digestmail.errors import DigestmailError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise DigestmailError(f"{path} exists and was not changed; --config names another file to write") from error
    except FileNotFoundError as error:
        raise DigestmailError(f"there is no folder {path.absolute().parent}; create it first") from error
    except OSError as error:
        raise DigestmailError(f"{path} was not written: {error.strerror}") from error
    try:
        load(path)
    except DigestmailError:
        path.unlink()
        raise


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
    for command in (init, check, demo):
        app.command()(command)
