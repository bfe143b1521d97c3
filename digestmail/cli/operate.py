"""`serve`, `web`, `preview`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from digestmail.cli.options import ConfigPath, Now, Quiet, open_app


def serve(config: ConfigPath = None, quiet: Quiet = False) -> None:
    """Run every digest on its own schedule until SIGTERM; a cron beside it does no harm."""
    import logging

    from digestmail.cli import printing
    from digestmail.daemon import Daemon
    from digestmail.pipeline.reports import RunReport

    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING if quiet else logging.INFO,
        format="%(asctime)s level=%(levelname)s log=%(name)s %(message)s",
    )
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    log = logging.getLogger("digestmail.serve")

    def tell(report: RunReport) -> None:
        for line in printing.lines(report):
            log.log(logging.WARNING if report.failed else logging.INFO, "%s", line)

    with open_app(config) as app:
        Daemon(app, on_report=tell).run()


def web(
    config: ConfigPath = None,
    now: Now = None,
    host: Annotated[str | None, typer.Option(help="Listen on this address.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Listen on this port; 0: any.", show_default=False)
    ] = None,
) -> None:
    """Serve the pages, feeds and API of the digests over HTTP until SIGTERM."""
    from digestmail.web.server import serve as serve_pages

    with open_app(config, now) as app:
        table = app.config.web
        serve_pages(app, host or table.host, table.port if port is None else port)


def preview(
    config: ConfigPath = None,
    now: Now = None,
    digest: Annotated[str | None, typer.Option(help="Which digest; else the first one.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the page here instead of opening a browser.", show_default=False)
    ] = None,
) -> None:
    """Show the edition that would go out now. Nothing is published."""
    import tempfile
    import webbrowser

    from digestmail.errors import DigestmailError

    with open_app(config, now) as app:
        chosen = next((known for known in app.digests if digest in {None, known.name}), None)
        if chosen is None:
            raise DigestmailError(f"there is no digest {digest!r}")
        page = app.preview(chosen)
    path = output or Path(tempfile.mkdtemp(prefix="digestmail-")) / f"{chosen.name}.html"
    path.write_text(page, encoding="utf-8")
    sys.stdout.write(f"{path}\n")
    if output is None:
        webbrowser.open(path.as_uri())


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (serve, web, preview):
        app.command()(command)
