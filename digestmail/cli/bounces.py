"""`digestmail bounces`, `digestmail suppressions`: what came back, and whom nothing is sent to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, Json, Now, Quiet, open_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digestmail.bounces.processor import BouncesReport

suppressed = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Addresses that receive no email, and why.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An email address.")]


def bounces(config: ConfigPath = None, json: Json = False, quiet: Quiet = False) -> None:
    """Process bounces, complaints and unsubscribe emails; with kind = "listen", run until SIGTERM."""
    from digestmail.cli import printing, stopping

    with stopping.on_signals() as stop, open_app(config) as app:
        report = app.read_bounces(stop=stop)
    if json:
        printing.as_json(report)
    elif not quiet:
        for line in report_lines(report):
            sys.stdout.write(f"{line}\n")


@suppressed.command(name="list")
def list_all(config: ConfigPath = None, json: Json = False) -> None:
    """List the suppressed addresses, newest first."""
    from digestmail.cli import printing
    from digestmail.subscribers import admin

    with open_app(config) as opened:
        found = admin.suppressed(opened.database)
        if json:
            printing.as_json(list(found))
            return
        for row in found:
            sys.stdout.write(f"{row.key}  {row.reason}  {row.created_at:%Y-%m-%d}  {row.detail}".rstrip() + "\n")


@suppressed.command()
def add(
    address: Address,
    reason: Annotated[str, typer.Option(help="A note for yourself.")] = "",
    config: ConfigPath = None,
    now: Now = None,
    quiet: Quiet = False,
) -> None:
    """Suppress an address, subscribed or not, and cancel its queued email."""
    from digestmail.subscribers import admin

    with open_app(config, now) as opened:
        admin.suppress(opened.database, address, reason, opened.clock.now())
    if not quiet:
        sys.stdout.write(f"{address} is suppressed\n")


@suppressed.command()
def remove(address: Address, config: ConfigPath = None, now: Now = None, quiet: Quiet = False) -> None:
    """Remove a suppression and reset the bounce score; the address is then unsubscribed and can subscribe again."""
    from digestmail.subscribers import admin

    with open_app(config, now) as opened:
        admin.lift(opened.database, address, opened.clock.now())
    if not quiet:
        sys.stdout.write(f"{address} is no longer suppressed, and unsubscribed\n")


def report_lines(report: BouncesReport) -> Iterator[str]:
    """Yield the lines that show what a mailbox contained."""
    counts = {
        "hard": report.hard,
        "soft": report.soft,
        "complaints": report.complaints,
        "suppressed": report.suppressed,
        "of a block": report.blocked,
        "unsubscribed": report.unsubscribed,
        "refused us": report.sender_fault,
        "seen before": report.repeated,
        "unknown recipients": report.unmatched,
        "delayed": report.delayed,
        "delivered": report.delivered,
        "not spam": report.not_spam,
        "other feedback": report.feedback,
        "auto-replies": report.auto_replies,
        "no reports": report.other,
        "in quarantine": report.failed,
    }
    yield f"bounces  {report.read} read" + "".join(f", {count} {name}" for name, count in counts.items() if count)
    for said in report.said:
        yield f"         refused us: {said}"
    for problem in report.problems:
        yield f"         in quarantine: {problem}"
    for block in report.blocks:
        yield f"         {block}"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(bounces)
    app.add_typer(suppressed, name="suppressions")
