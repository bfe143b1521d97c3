"""The questions of `digestmail init`. The login is tested before anything is written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import SecretStr

from digestmail.cli.config_template import Given, Server, Starter, make_sources, parse_server, parse_topic
from digestmail.cli.init import write_new
from digestmail.config.mail import SmtpTable
from digestmail.config.sources import AnySource
from digestmail.config.values import check_mailbox
from digestmail.errors import DigestmailError
from digestmail.text.hosts import is_local

Checked = TypeVar("Checked")
_PASSWORD_FILE = "smtp-password"  # noqa: S105 - a file name


def ask(path: Path, given: Given) -> None:
    """Ask for what a configuration needs, and write it to `path`. `given` are the answers to an empty input.

    Raises DigestmailError, and typer.Abort if the operator stops or the terminal is gone.
    """
    if path.exists():
        raise DigestmailError(f"{path} exists and was not changed; --config names another file to write")
    sys.stdout.write(f"This writes {path.absolute()}. An empty answer means what is in brackets.\n\n")
    sender = _ask("Sender of the digest, such as Papers <digest@example.org>", check_mailbox)
    starter, password = Starter(sender=sender, maildir=given.maildir), ""
    if given.maildir is None:
        starter, password = _ask_for_server(starter, given)
    starter = replace(starter, sources=_ask_for_sources(given), topics=tuple(_ask_for_topics(given)))
    if password:
        starter = replace(starter, password_file=_write_password(path, password))
    try:
        write_new(path, starter)
    except DigestmailError:
        if password:
            (path.parent / starter.password_file).unlink()
        raise
    if starter.maildir is None:
        _offer_test_email(path, sender)


def _ask(question: str, check: Callable[[str], Checked], default: str | None = None) -> Checked:
    """Ask until `check` accepts the answer."""

    def checked(answer: str) -> Checked:
        try:
            return check(answer.strip())
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    answer: Checked = typer.prompt(question, default=default, value_proc=checked, show_default=bool(default))
    return answer


def _ask_for_server(starter: Starter, given: Given) -> tuple[Starter, str]:
    """Ask for the server and the login, until a connection works or the operator takes them as they are."""
    smtp, username = given.smtp, given.username
    while True:
        server = _ask("SMTP server, as HOST[:PORT]; 587 means STARTTLS, 465 TLS", parse_server, smtp)
        username = _ask("User name there, or - for no login", str, username or "-").removeprefix("-")
        smtp = f"[{server.host}]:{server.port}" if ":" in server.host else f"{server.host}:{server.port}"
        password = ""
        if username:
            if server.security == "none" and not is_local(server.host):
                sys.stdout.write(f"Port {server.port} is not encrypted: take 587 or 465 for a login.\n")
                continue
            password = str(typer.prompt("Password (not shown)", hide_input=True))
        sys.stdout.write(f"connecting to {smtp} ... ")
        sys.stdout.flush()
        if (problem := _connection_problem(server, username, password)) is None:
            sys.stdout.write("logged in\n" if username else "ok\n")
        else:
            sys.stdout.write(f"failed\n{problem}\n")
            if typer.confirm("Change the server or the login?", default=True):
                continue
        return replace(starter, server=server, username=username), password


def _connection_problem(server: Server, username: str, password: str) -> str | None:
    """Connect and log in; return what went wrong."""
    from digestmail.transports.single import try_connection
    from digestmail.wiring.mail import smtp_transport

    table = SmtpTable(
        host=server.host,
        port=server.port,
        security=server.security,
        username=username or None,
        password=SecretStr(password) if password else None,
    )
    try:
        try_connection(smtp_transport(table, Path()))
    except DigestmailError as error:
        return str(error)
    return None


def _ask_for_sources(given: Given) -> tuple[AnySource, ...]:
    while True:
        answers = replace(
            given,
            huggingface=typer.confirm("Read the daily papers of Hugging Face?", default=given.huggingface),
            arxiv=_ask("arXiv categories with commas between them, or -", str, given.arxiv or "cs.LG, cs.CL, cs.AI"),
        )
        answers = replace(answers, arxiv=answers.arxiv.removeprefix("-"), feeds=tuple(_ask_for_feeds(given)))
        try:
            return make_sources(answers)
        except ValueError as error:
            sys.stdout.write(f"Error: {error}\n")


def _ask_for_feeds(given: Given) -> Iterator[str]:
    yield from given.feeds
    while feed := _ask("Address of a feed (RSS, Atom or JSON); empty to go on", str, ""):
        yield feed


def _ask_for_topics(given: Given) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from map(parse_topic, given.topics)
    seen = set()
    while topic := _ask("Topic, as NAME: WORD, WORD; empty to go on", _topic_or_none, ""):
        if topic[0] in seen:
            sys.stdout.write(f"Error: there is a topic {topic[0]!r} already\n")
            continue
        seen.add(topic[0])
        yield topic


def _topic_or_none(answer: str) -> tuple[str, tuple[str, ...]] | None:
    return parse_topic(answer) if answer else None


def _write_password(path: Path, password: str) -> str:
    """Write the password to a new file beside `path`, for its owner only; return the name of the file."""
    for number in range(1, 100):
        name = _PASSWORD_FILE if number == 1 else f"{_PASSWORD_FILE}-{number}"
        try:
            descriptor = os.open(path.parent / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise DigestmailError(f"{path.parent / name} was not written: {error.strerror}") from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{password}\n")
        return name
    raise DigestmailError(f"{path.parent} has too many files called {_PASSWORD_FILE}")


def _offer_test_email(path: Path, sender: str) -> None:
    from digestmail.mail.header_fields import split_mailbox

    address = _ask("Send a test email to, or - for none", str, split_mailbox(sender)[1])
    if address == "-":
        return
    from digestmail.clock import SystemClock
    from digestmail.demo.sample import sample_edition
    from digestmail.preview.options import PreviewOptions
    from digestmail.preview.service import PreviewService

    service = PreviewService(path.absolute(), SystemClock(), SystemClock(), sample_edition)
    try:
        sys.stdout.write(f"{service.send(PreviewOptions(edition='sample'), address).text}\n")
    finally:
        service.close()
