"""`digestmail worker`: one of several processes, on one or many machines, that share the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, Quiet

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from digestmail.cluster.plan import JobKind
    from digestmail.cluster.work import Report
    from digestmail.config.settings import Config

_KINDS = ("read", "train", "publish", "outputs", "deliver")


def worker(
    config: ConfigPath = None,
    quiet: Quiet = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="KIND",
            help=f"Do only jobs of this kind: {', '.join(_KINDS)}. Repeatable. Default: all of them.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Share the work with other workers, on this machine and others, until SIGTERM.

    Workers collect, publish and deliver as `digestmail up` does, each taking one job at a time. They need PostgreSQL
    and the extra digestmail[cluster]. For web pages and bounces, run `digestmail up --no-run` on one of the machines.
    """
    from digestmail.cluster.plan import JobKind
    from digestmail.config.load import load
    from digestmail.config.places import find_path

    if unknown := sorted(set(only or ()) - set(_KINDS)):
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(_KINDS)}", param_hint="--only")
    path = find_path(config)
    settings = load(path)
    _check_needs(settings)
    _work(settings, path.absolute().parent, [JobKind(one) for one in only or _KINDS], quiet=quiet)


def _check_needs(config: Config) -> None:
    """Raise ConfigError if workers cannot share this database, or the extra is missing."""
    from importlib.util import find_spec

    from digestmail.errors import ConfigError

    if config.database.startswith("sqlite"):
        problem = (
            "database: workers share their jobs in PostgreSQL, and this is a SQLite file; run `digestmail up`, "
            "which does everything in one process, or set database to a postgresql:// address"
        )
        raise ConfigError([problem])
    if find_spec("procrastinate") is None:
        raise ConfigError(["Procrastinate is not installed: pip install 'digestmail[cluster]'"])


def _work(config: Config, base: Path, kinds: Collection[JobKind], *, quiet: bool) -> None:
    import logging

    from digestmail.app import App
    from digestmail.cli import printing, stopping
    from digestmail.clock import SystemClock
    from digestmail.cluster.worker import run_worker
    from digestmail.logs.setup import set_up_logging
    from digestmail.schedule.times import common_zone

    set_up_logging(config.logs.settings(base), level=logging.INFO, quiet=quiet)
    logging.captureWarnings(capture=True)
    # Jobs and the worker say themselves what went wrong, without tracebacks of a library.
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    log = logging.getLogger("digestmail.worker")
    with stopping.on_signals() as stop, App(config, base, SystemClock()) as app:
        zone = common_zone(app.digests)

        def tell(report: Report, *, failed: bool) -> None:
            for line in printing.lines(report, zone):
                log.log(logging.WARNING if failed else logging.INFO, "%s", line)

        log.info("the worker starts: %s", ", ".join(kinds))
        run_worker(app, kinds, on_report=tell, stop=stop)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)
