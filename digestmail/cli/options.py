"""The options that stand after every command, and how a command opens the app with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from digestmail.app import App
    from digestmail.model.reports import Progress


def inherited(context: typer.Context, given: Path | None) -> Path | None:
    """Return the --config that stands behind the command, else the one before it."""
    return given if given is not None else context.find_root().params.get("config")


ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        callback=inherited,
        help="The configuration file. Default: $DIGESTMAIL_CONFIG, else the first of ./config.toml, "
        "~/.config/digestmail/config.toml and /etc/digestmail/config.toml.",
        show_default=False,
    ),
]
Now = Annotated[
    str | None,
    typer.Option("--now", metavar="ISO8601", help="Run as if it were this time, for replays and backfills."),
]
_EARLIEST, _LATEST = 1991, 2200
"""arXiv began in 1991."""
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing on success.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Select and render, but store and send nothing.")]


def open_app(config: Path | None, now: str | None = None, *, progress: Progress | None = None) -> App:
    """Load the configuration, set up logging, and return the app on it. Raises ConfigError."""
    import logging

    from digestmail.app import App
    from digestmail.clock import SystemClock
    from digestmail.config.load import load
    from digestmail.config.places import find_path
    from digestmail.logs.setup import set_up_logging
    from digestmail.model.reports import no_progress

    path = find_path(config)
    moment = parse_now(now)
    for note in notes_on(now, moment, datetime.now(UTC)):
        sys.stderr.write(f"note: {note}\n")
    settings, base = load(path), path.absolute().parent
    set_up_logging(settings.logs.settings(base), level=logging.WARNING)
    return App(settings, base, SystemClock(moment), progress=progress or no_progress)


def notes_on(text: str | None, moment: datetime | None, now: datetime) -> Iterator[str]:
    """Yield what may be a mistake in --now `text`, read as `moment`: no time zone, or a future (behind `now`)."""
    if text is None or moment is None:
        return
    if datetime.fromisoformat(text).tzinfo is None:
        yield f"--now has no time zone and counts as UTC: {moment:%Y-%m-%dT%H:%M:%SZ}"
    if moment > now:
        yield f"--now is in the future; what this run stores is dated {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def parse_now(text: str | None, option: str = "--now") -> datetime | None:
    """Return `text` as an aware time; without an offset it is UTC. Raises typer.BadParameter, naming `option`."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not an ISO 8601 time like 2026-04-02T07:00:00Z", param_hint=option
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not _EARLIEST <= moment.year <= _LATEST:
        raise typer.BadParameter(f"{text!r} is not within {_EARLIEST} to {_LATEST}", param_hint=option)
    return moment
