"""`announce`: send a message to the readers of a digest, outside its schedule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, Json, Quiet, open_app

if TYPE_CHECKING:
    from digestmail.editions.announce import AnnouncementStatus
    from digestmail.preview.options import PreviewOptions
    from digestmail.preview.service import PreviewService

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", exists=True, dir_okay=False, help="A Markdown file. Its first line, `# ...`, is the subject."
    ),
]


def announce(
    file: File,
    digest: Annotated[str, typer.Option(help="The digest to whose readers it is sent.", show_default=False)],
    config: ConfigPath = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only show it in the browser, until Ctrl-C.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Only write the email to files here, as `preview` does.", show_default=False),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="ADDRESS", help="Only send a test to this address.", show_default=False),
    ] = None,
    paused: Annotated[bool, typer.Option("--include-paused", help="Also send it to readers who paused.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    after_restore: Annotated[
        bool,
        typer.Option(
            "--after-restore", help="With --yes: send it although the database was put back from a backup lately."
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Send a Markdown file once to all readers of a digest. The same file is never sent to anyone twice."""
    if preview or output is not None or to is not None:
        _only_show(file, digest, config, output, to)
    else:
        _send(file, digest, config, paused=paused, yes=yes, after_restore=after_restore, json=json, quiet=quiet)


def _only_show(file: Path, digest: str, config: Path | None, output: Path | None, to: str | None) -> None:
    from digestmail.cli import preview_modes
    from digestmail.cli.names import find_named
    from digestmail.clock import SystemClock
    from digestmail.config.load import load
    from digestmail.config.places import find_path
    from digestmail.demo.sample import sample_edition
    from digestmail.mail.announcement_files import load_announcement
    from digestmail.preview.options import ANNOUNCEMENT, PreviewOptions
    from digestmail.preview.service import PreviewService

    path = find_path(config).absolute()
    find_named("digest", digest, load(path).digests)
    load_announcement(file)
    service = PreviewService(path, SystemClock(), SystemClock(), sample_edition, file.absolute())
    options = PreviewOptions(digest=digest, edition=ANNOUNCEMENT)
    try:
        if to is not None:
            _send_test(service, options, to)
        elif output is not None:
            preview_modes.write(service, options, output)
        else:
            preview_modes.serve(service, options, port=0, browser=True)
    finally:
        service.close()


def _send_test(service: PreviewService, options: PreviewOptions, address: str) -> None:
    result = service.send(options, address)
    (sys.stdout if result.good else sys.stderr).write(f"{result.text}\n")
    if not result.good:
        raise typer.Exit(1)


def _send(
    file: Path,
    digest: str,
    config: Path | None,
    *,
    paused: bool,
    yes: bool,
    after_restore: bool,
    json: bool,
    quiet: bool,
) -> None:
    from digestmail.cli import printing, progress, stopping
    from digestmail.cli.names import find_named
    from digestmail.editions import announce as announcing
    from digestmail.mail.announcement_files import load_announcement

    with (
        stopping.on_signals() as stop,
        progress.shown(quiet=quiet or json) as shown,
        open_app(config, progress=shown) as app,
    ):
        found, announcement = find_named("digest", digest, app.digests), load_announcement(file)
        app.epoch().check_database(app.database)
        now = app.wall_clock.now()
        status = announcing.announcement_status(app.database, found, announcement, now, paused=paused)
        if status.announced_at is None:
            if status.recipients:
                question = f"Send “{announcement.subject}” to {_readers(status, digest)}?"
                _ask(question, "" if after_restore else _warning(status, found.schedule.timezone), yes=yes)
            queued = announcing.announce(app.database, found, announcement, app.mail.render, now, paused=paused)
            said = f"announce {digest} {status.key}: {queued} queued"
        else:
            said = f"announce {digest} {status.key}: {_what_became(status, found.schedule.timezone)}"
        if not quiet and not json:
            sys.stdout.write(f"{said}\n")
        report, zone = app.deliver(stop=stop), found.schedule.timezone
    printing.report(report, json=json, quiet=quiet, failed=report.went_wrong, zone=zone)


def _readers(status: AnnouncementStatus, digest: str) -> str:
    from digestmail.text.counts import counted

    text = f"{counted(status.recipients, 'reader')} of {digest}"
    return f"{text} (not to {status.paused} who paused)" if status.paused else text


def _what_became(status: AnnouncementStatus, zone: str) -> str:
    from digestmail.schedule.times import written

    assert status.announced_at is not None  # noqa: S101 - the caller has checked it
    states = ", ".join(f"{count} {state}" for state, count in status.states.items())
    return f"this text was announced on {written(status.announced_at, zone)} ({states}); no reader is added"


def _warning(status: AnnouncementStatus, zone: str) -> str:
    """Return why readers may get the text a second time; empty if they cannot."""
    from digestmail.schedule.times import written

    if status.forgotten_before is None:
        return ""
    return (
        f"the database was put back from a backup on {written(status.forgotten_before, zone)}, so it may have "
        "forgotten that this text was announced, and its readers would get it again"
    )


def _ask(question: str, warning: str, *, yes: bool) -> None:
    """Ask, and end the program unless the answer is yes. With `yes`, only a warning ends it."""
    from digestmail.errors import DigestmailError

    if yes:
        if warning:
            raise DigestmailError(
                f"nothing was sent: {warning}; your mail server's log says more, and --after-restore sends it"
            )
        return
    try:
        typer.confirm(f"{warning[:1].upper()}{warning[1:]}.\n{question}" if warning else question, abort=True, err=True)
    except typer.Abort as error:
        raise DigestmailError("nothing was sent; with --yes it does not ask") from error


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(announce)
