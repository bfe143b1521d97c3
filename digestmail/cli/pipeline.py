"""`run`, `collect`, `publish`, `deliver`: each calls one verb and prints its report."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, DryRun, Json, Now, Quiet, open_app

if TYPE_CHECKING:
    from digestmail.editions.late_recipients import LateRecipients


def run(
    config: ConfigPath = None,
    now: Now = None,
    json: Json = False,
    quiet: Quiet = False,
    dry_run: DryRun = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Stay and try again while an edition waits for its sources (wait_for)."),
    ] = False,
) -> None:
    """Collect, publish and deliver everything that is due. Run this from cron.

    With --wait there is a report for each run.
    """
    from digestmail.cli import printing, progress, stopping
    from digestmail.cli.waiting import run_while_waiting
    from digestmail.logs.runs import run_scope
    from digestmail.schedule.times import common_zone
    from digestmail.status.alerts import run_with_alerts

    with (
        stopping.on_signals() as stop,
        progress.shown(quiet=quiet or json) as shown,
        open_app(config, now, progress=shown) as app,
        run_scope(),
    ):
        zone = common_zone(app.digests)
        patient = wait and not dry_run
        run_once = partial(app.run, dry_run=True) if dry_run else partial(run_with_alerts, app)
        runs = run_while_waiting(lambda: run_once(stop=stop), app.clock, stop if patient else _always)
        reports = list(runs)
    for report in reports:
        printing.show(report, json=json, quiet=quiet, failed=report.failed, zone=zone)
    if any(report.failed for report in reports):
        raise typer.Exit(1)


def _always() -> bool:
    """Stop after the first run."""
    return True


def collect(
    config: ConfigPath = None, now: Now = None, json: Json = False, quiet: Quiet = False, dry_run: DryRun = False
) -> None:
    """Read every source and store the papers."""
    from digestmail.cli import printing, progress, stopping

    with (
        stopping.on_signals() as stop,
        progress.shown(quiet=quiet or json) as shown,
        open_app(config, now, progress=shown) as app,
    ):
        report = app.collect(dry_run=dry_run, stop=stop)
    printing.report(report, json=json, quiet=quiet, failed=bool(report.failed))


def publish(
    config: ConfigPath = None, now: Now = None, json: Json = False, quiet: Quiet = False, dry_run: DryRun = False
) -> None:
    """Publish every digest that is due: create the edition and queue one delivery per subscriber."""
    from digestmail.cli import printing, stopping
    from digestmail.schedule.times import common_zone

    with stopping.on_signals() as stop, open_app(config, now) as app:
        report, zone = app.publish(dry_run=dry_run, stop=stop), common_zone(app.digests)
    printing.report(report, json=json, quiet=quiet, failed=bool(report.failed), zone=zone)


def deliver(
    config: ConfigPath = None, now: Now = None, json: Json = False, quiet: Quiet = False, dry_run: DryRun = False
) -> None:
    """Send the queued deliveries that are due, then editions to outputs."""
    from digestmail.cli import printing, progress, stopping
    from digestmail.schedule.times import common_zone

    with (
        stopping.on_signals() as stop,
        progress.shown(quiet=quiet or json) as shown,
        open_app(config, now, progress=shown) as app,
    ):
        report = app.outbox() if dry_run else app.send_outputs(app.deliver(stop=stop), stop=stop)
        zone = common_zone(app.digests)
    printing.report(report, json=json, quiet=quiet, failed=report.went_wrong, zone=zone)


def send(
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="The name of a digest.")],
    config: ConfigPath = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="Only to this subscriber. Default: all who lack it.")
    ] = None,
    edition: Annotated[
        str | None, typer.Option("--edition", metavar="SLOT", help="The edition. Default: the latest one.")
    ] = None,
    uncertain: Annotated[
        bool,
        typer.Option(
            "--uncertain",
            help="Also to those who may have got it, as after a restore from a backup.",
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Send an edition that is out to subscribers who did not get it, such as those who subscribed since.

    A delivery that was cancelled is sent if the reader came back, and was not sent before.
    """
    from digestmail.cli import printing, progress, stopping
    from digestmail.cli.names import find_named
    from digestmail.editions.late_recipients import queue_edition

    with (
        stopping.on_signals() as stop,
        progress.shown(quiet=quiet or json) as shown,
        open_app(config, progress=shown) as app,
    ):
        found = find_named("digest", digest, app.digests)
        app.epoch().check_database(app.database)
        queued = queue_edition(app.database, found, edition, to, app.wall_clock.now(), uncertain=uncertain)
        if not quiet and not json:
            sys.stdout.write(f"{found.name} {_queued(queued)}\n")
        report, zone = app.deliver(stop=stop), found.schedule.timezone
    printing.report(report, json=json, quiet=quiet, failed=report.went_wrong, zone=zone)


def _queued(result: LateRecipients) -> str:
    text = (
        f"{result.slot}: {result.queued} queued, {result.had_it} had it, {result.nothing_for} without papers, "
        f"{result.uncertain} uncertain"
    )
    if not result.uncertain:
        return text.removesuffix(", 0 uncertain")
    return (
        f"{text}\nuncertain: they may have got it, because their delivery was cancelled late, or the database was put "
        "back from a backup since; your mail server's log says more, and --uncertain sends it"
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (run, collect, publish, deliver, send):
        app.command()(command)
