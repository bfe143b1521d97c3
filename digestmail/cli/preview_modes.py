"""The two ways of `digestmail preview`: files for CI, or a page in the browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digestmail.preview.options import PreviewOptions
    from digestmail.preview.service import PreviewService


def write(desk: PreviewService, asked: PreviewOptions, directory: Path) -> None:
    """Write the mail into `directory`, say which rules it breaks, and leave with 1 if it breaks any."""
    from digestmail.preview import output

    report = output.write(desk, asked, directory)
    for path in report.files:
        sys.stdout.write(f"{path}\n")
    sys.stdout.write(f"{report.octets:,} of {report.limit:,} bytes\n")
    for sentence in report.failed:
        sys.stdout.write(f"broken: {sentence}\n")
    if report.failed:
        raise typer.Exit(1)


def serve(desk: PreviewService, asked: PreviewOptions, *, port: int, browser: bool) -> None:
    """Serve the page until Ctrl-C, and open it if there is a screen."""
    import os
    import webbrowser

    from digestmail.preview import server

    token = server.new_token()
    with server.listening(port) as listener:
        query = asked.query()
        address = server.address_of(listener, token) + (f"?{query}" if query else "")
        sys.stdout.write(f"{address}\nCtrl-C ends it\n")
        sys.stdout.flush()
        if browser and has_screen(os.environ, sys.platform):
            webbrowser.open(address)
        server.serve(desk, listener, token)


def has_screen(environment: Mapping[str, str], platform: str) -> bool:
    """Return whether a browser opens in a window. Without a screen, Python starts one for text in this terminal."""
    if platform in {"darwin", "win32"}:
        return True
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
