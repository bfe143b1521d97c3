"""`digestmail outputs`: what was sent to outputs beside email, trying again, and a test."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.names import check_edition, find_named
from digestmail.cli.options import ConfigPath, Json, open_app

if TYPE_CHECKING:
    from digestmail.app import App
    from digestmail.config.outputs import AnyOutput

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Outputs beside email: webhooks, chats, files.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of an output.")]


@app.command(name="list")
def list_all(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The name of an output. Default: all.", show_default=False)
    ] = None,
    config: ConfigPath = None,
    state: Annotated[
        str | None, typer.Option(help="Only rows in this state: queued, deferred, failed, ...", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List the outputs, and the editions that were queued for them, newest first."""
    from digestmail.cli import printing
    from digestmail.model.deliveries import DeliveryState
    from digestmail.outputs import admin
    from digestmail.schedule.times import common_zone, written

    if state is not None and state not in list(DeliveryState):
        raise typer.BadParameter(f"{state!r} is none of {', '.join(DeliveryState)}", param_hint="--state")
    with open_app(config) as opened:
        found = admin.list_rows(opened.database, output=name, state=DeliveryState(state) if state else None)
        if name is not None and not found:
            _find(opened, name)
        if json:
            printing.as_json(list(found))
            return
        zone = common_zone(opened.digests)
        stopped = {one.target.output: one for one in admin.stopped(opened.database, opened.outputs().known())}
        for table in opened.config.outputs:
            if name in {None, table.name}:
                stop = f"; stopped since {written(stopped[table.name].at, zone)}" if table.name in stopped else ""
                digests = ", ".join(table.digests) if table.digests else "all digests"
                sys.stdout.write(f"output {table.name}: {table.kind}, {digests}{stop}\n")
    for row in found:
        due = f"; due {written(row.due_at, zone)}" if row.due_at else ""
        target = f"{row.output} {row.destination}".rstrip()
        text = f"{row.digest} {row.slot}  {target}  {row.state}  {row.code or ''} {row.text}".rstrip()
        sys.stdout.write(f"{' '.join(text.split())}{due}\n")


@app.command()
def retry(
    name: Name,
    digest: Annotated[
        str | None, typer.Argument(metavar="[DIGEST]", help="The name of a digest. Default: all.", show_default=False)
    ] = None,
    slot: Annotated[
        str | None,
        typer.Argument(
            metavar="[SLOT]", help="A slot; what was cancelled is sent too. Default: all.", show_default=False
        ),
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Send failed and ambiguous editions to an output again, and resume it if it was stopped."""
    from digestmail.outputs import admin
    from digestmail.text.counts import counted

    with open_app(config) as opened:
        table = _find(opened, name)
        check_edition(opened, digest, slot)
        resumed, queued = admin.retry(opened.database, table.name, opened.wall_clock.now(), digest=digest, slot=slot)
    if resumed:
        sys.stdout.write(f"{name} resumed\n")
    sys.stdout.write(f"{counted(queued, 'edition')} queued again; `digestmail deliver` sends now\n")


@app.command(name="test")
def send_test(name: Name, config: ConfigPath = None) -> None:
    """Send an example to an output, marked as a test. For zotero, look whether the API key may write."""
    from digestmail.errors import OutputError

    failed = False
    with open_app(config) as opened:
        table = _find(opened, name)
        setup = opened.outputs()
        digest = opened.digests[0]
        for target, output in setup.known().items():
            if target.output != table.name:
                continue
            shown = f"{name} {target.destination}".rstrip()
            try:
                sys.stdout.write(f"{shown}: sent; {setup.send_test(output, digest)}\n")
            except OutputError as error:
                failed = True
                sys.stdout.write(f"{shown}: {error}\n")
    if failed:
        raise typer.Exit(1)


def _find(opened: App, name: str) -> AnyOutput:
    return find_named("output", name, opened.config.outputs)
