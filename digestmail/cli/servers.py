"""`web`, `preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digestmail.cli.options import ConfigPath, Now, open_app, parse_now


def web(
    config: ConfigPath = None,
    now: Now = None,
    host: Annotated[str | None, typer.Option(help="Listen on this address.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Listen on this port; 0 picks a free one.", show_default=False)
    ] = None,
) -> None:
    """Serve the web pages, feeds and API over HTTP until SIGTERM."""
    from digestmail.web.server import serve as serve_pages

    with open_app(config, now) as app:
        table = app.config.web
        serve_pages(app, host or table.host, table.port if port is None else port)


def preview(
    config: ConfigPath = None,
    now: Now = None,
    digest: Annotated[str, typer.Option(help="The digest. Default: the first one.", show_default=False)] = "",
    edition: Annotated[
        str,
        typer.Option(help="`next`, `sample`, or the slot of a past edition, such as 2026-04-02.", show_default=False),
    ] = "",
    reader: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="Show the email of this subscriber. Default: all topics.", show_default=False
        ),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write files here and exit, with status 1 if a rule is broken, for CI.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on loopback; 0 picks a free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Show an email in the browser as subscribers receive it. Nothing is published."""
    from digestmail.cli import preview_modes
    from digestmail.clock import SystemClock
    from digestmail.config.load import load
    from digestmail.config.places import find_path
    from digestmail.demo.sample import sample_edition
    from digestmail.preview.options import PreviewOptions
    from digestmail.preview.service import PreviewService

    path = find_path(config).absolute()
    load(path)  # what is wrong from the start is said here, and not in a browser
    desk = PreviewService(path, SystemClock(parse_now(now)), SystemClock(), sample_edition)
    asked = PreviewOptions(digest=digest, edition=edition, reader=reader)
    try:
        if output is not None:
            preview_modes.write(desk, asked, output)
        else:
            preview_modes.serve(desk, asked, port=port, browser=not no_browser)
    finally:
        desk.close()


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (web, preview):
        app.command()(command)
