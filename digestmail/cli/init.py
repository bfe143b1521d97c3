"""`digestmail init`: write a configuration, from options or from answers on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from digestmail.cli.options import ConfigPath

if TYPE_CHECKING:
    from digestmail.cli.config_template import Given, Starter

Checked = TypeVar("Checked")
Value = TypeVar("Value")


def init(
    sender: Annotated[
        str | None,
        typer.Option(
            help="The sender address of the digest. Without it, you are asked on a terminal.", show_default=False
        ),
    ] = None,
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
    username: Annotated[str, typer.Option(help="The user name at the SMTP server.", show_default=False)] = "",
    password_file: Annotated[
        str,
        typer.Option(metavar="FILE", help="A file that contains only the password for it.", show_default=False),
    ] = "",
    arxiv: Annotated[
        str, typer.Option(metavar="CATEGORIES", help="Also read arXiv: cs.LG,cs.CL.", show_default=False)
    ] = "",
    feed: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Also read this feed. Repeatable.", show_default=False)
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            metavar='"NAME: WORD, WORD"', help="A topic. Repeatable. Default: four examples.", show_default=False
        ),
    ] = None,
    no_huggingface: Annotated[bool, typer.Option("--no-huggingface", help="Do not read Hugging Face.")] = False,
) -> None:
    """Write a small working configuration. An existing file is never overwritten.

    On a terminal and without --sender, init asks, tests the login, and offers to send a test email.
    """
    from digestmail.cli.config_template import Given
    from digestmail.config.places import new_path

    path = new_path(config)
    given = Given(
        sender=sender or "",
        smtp=smtp,
        maildir=maildir,
        username=username,
        password_file=password_file,
        huggingface=not no_huggingface,
        arxiv=arxiv,
        feeds=tuple(feed or ()),
        topics=tuple(topic or ()),
    )
    if sender is not None:
        write_new(path, _starter(given))
    elif sys.stdin.isatty() and sys.stdout.isatty():
        from digestmail.cli.init_questions import ask

        ask(path, given)
    else:
        raise typer.BadParameter("is needed, because there is no terminal to ask on", param_hint="--sender")
    option = f" --config {path}" if config is not None else ""
    sys.stdout.write(
        f"next:  digestmail subscribers add YOU@example.org{option}\n"
        f"       digestmail check{option}\n"
        f"       digestmail run --dry-run{option}\n"
        f"       digestmail run{option}\n"
        f"       digestmail up{option}    # stays and does this when it is due; or let cron call run\n"
    )


def _starter(given: Given) -> Starter:
    """Return the configuration that the options describe. Raises typer.BadParameter."""
    from digestmail.cli.config_template import Starter, make_sources, parse_server, parse_topic
    from digestmail.config.values import check_mailbox

    if bool(given.username) != bool(given.password_file):
        raise typer.BadParameter("a login needs both", param_hint="--username, --password-file")
    return Starter(
        sender=_checked("--sender", check_mailbox, given.sender),
        server=_checked("--smtp", parse_server, given.smtp),
        maildir=given.maildir,
        username=given.username,
        password_file=given.password_file,
        sources=_checked("--arxiv, --feed, --no-huggingface", make_sources, given),
        topics=tuple(_checked("--topic", parse_topic, each) for each in given.topics),
    )


def _checked(option: str, check: Callable[[Value], Checked], given: Value) -> Checked:
    """Return what `check` makes of the value of an option. Raises typer.BadParameter."""
    try:
        return check(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def write_new(path: Path, starter: Starter) -> None:
    """Write a configuration that loads, into a file that is new. Raises DigestmailError."""
    from digestmail.config.load import load
    from digestmail.errors import DigestmailError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter.toml())
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
    sys.stdout.write(f"wrote {path}\n")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)
