"""`digestmail up`: everything in one process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, Quiet

if TYPE_CHECKING:
    from pathlib import Path

    from digestmail.bounces.processor import BouncesReport
    from digestmail.cli.printing import Report
    from digestmail.cluster.work import Report as JobReport
    from digestmail.config.settings import Config
    from digestmail.model.digests import Digest
    from digestmail.model.reports import RunReport
    from digestmail.service.parts import Wanted


def up(
    config: ConfigPath = None,
    quiet: Quiet = False,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Do not collect, publish and deliver; cron or another process does.")
    ] = False,
    no_bounces: Annotated[bool, typer.Option("--no-bounces", help="Do not read bounces.")] = False,
    no_web: Annotated[bool, typer.Option("--no-web", help="Do not serve the web pages.")] = False,
    host: Annotated[str | None, typer.Option(help="Serve the pages on this address.", show_default=False)] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve the pages on this port; 0 picks a free one.", show_default=False),
    ] = None,
) -> None:
    """Do everything until SIGTERM: collect, publish and deliver on schedule, read bounces, serve the web pages.

    Bounces are read if the configuration has a [bounces] table. SIGHUP reads the configuration again. Several of these
    processes may run side by side, also beside cron.
    """
    from digestmail.service.parts import Wanted

    wanted = Wanted(run=not no_run, bounces=not no_bounces, web=not no_web, host=host, port=port)
    if not (wanted.run or wanted.bounces or wanted.web):
        raise typer.BadParameter("nothing is left to run", param_hint="--no-run, --no-bounces, --no-web")
    supervise(config, wanted, quiet=quiet)


def supervise(config: Path | None, wanted: Wanted, *, quiet: bool) -> None:
    """Run the parts until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
    import time
    from functools import partial
    from random import SystemRandom

    from digestmail.cli import stopping
    from digestmail.config.places import find_path
    from digestmail.service.notify import Notifier
    from digestmail.service.part import ServiceHealth
    from digestmail.service.parts import PartsLoader, Reporting
    from digestmail.service.supervisor import Supervisor, waiting_for_signals

    health = ServiceHealth()
    on_config = partial(_set_up_logging, quiet=quiet)
    reporting = Reporting(on_run=_log_run, on_bounces=_log_bounces, on_job=_log_job, on_config=on_config)
    loader = PartsLoader(find_path(config), wanted, reporting, health)
    with waiting_for_signals() as signals:
        try:
            Supervisor(
                loader.load(),
                reload=loader.reload,
                on_stop=stopping.end_within,
                signals=signals,
                manager=Notifier(),
                monotonic=time.monotonic,
                random=SystemRandom(),
                health=health,
            ).run()
        finally:
            loader.close()


def _set_up_logging(config: Config, base: Path, *, quiet: bool) -> None:
    """Log a line for each event; with `quiet`, only warnings."""
    import logging

    from digestmail.logs.setup import set_up_logging

    set_up_logging(config.logs.settings(base), level=logging.INFO, quiet=quiet)
    logging.captureWarnings(True)
    # Jobs and the worker say themselves what went wrong, without tracebacks of a library.
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def _log_run(report: RunReport, digests: Sequence[Digest]) -> None:
    """Log the lines of a report; those of what failed as warnings."""
    for part, failed in _graded(report):
        _log_lines("digestmail.up", part, digests, failed=failed)


def _log_job(report: JobReport, digests: Sequence[Digest], failed: bool) -> None:
    _log_lines("digestmail.worker", report, digests, failed=failed)


def _log_lines(name: str, report: Report, digests: Sequence[Digest], *, failed: bool) -> None:
    import logging

    from digestmail.cli import printing
    from digestmail.schedule.times import common_zone

    for line in printing.lines(report, common_zone(digests)):
        logging.getLogger(name).log(logging.WARNING if failed else logging.INFO, "%s", line)


def _graded(report: RunReport) -> Iterator[tuple[Report, bool]]:
    """Yield the parts of a report, and whether each failed."""
    from dataclasses import replace

    from digestmail.model.reports import CollectReport, PublishReport

    if report.busy:
        yield report, False
        return
    for source in report.collect.sources:
        yield CollectReport(sources=(source,)), source.failed
    yield replace(report.collect, sources=()), False
    for digest in report.publish.digests:
        yield PublishReport(digests=(digest,)), digest.status == "failed"
    yield report.deliver, report.deliver.went_wrong


def _log_bounces(report: BouncesReport) -> None:
    import logging

    from digestmail.cli.bounces import report_lines

    for line in report_lines(report):
        logging.getLogger("digestmail.up").log(logging.WARNING if report.failed else logging.INFO, "%s", line)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)
