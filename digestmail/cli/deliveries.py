"""`digestmail deliveries`: list deliveries and attempts, and resolve the ones whose result is unknown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from digestmail.cli.names import check_edition
from digestmail.cli.options import ConfigPath, Json, Now, open_app

if TYPE_CHECKING:
    from digestmail.app import App

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Deliveries, their attempts and their results.")

Edition = Annotated[str, typer.Argument(metavar="DIGEST", help="The name of a digest, or `notice`.")]
Slot = Annotated[
    str,
    typer.Argument(metavar="SLOT", help="The slot, as `digestmail editions list` shows it; for a notice, its kind."),
]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An email address.")]
To = Annotated[
    str | None, typer.Option("--to", metavar="ADDRESS", help="Only this subscriber. Default: all.", show_default=False)
]


@app.command(name="list")
def list_all(
    config: ConfigPath = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only deliveries in this state: ambiguous, failed, sent, ...", show_default=False),
    ] = None,
    digest: Annotated[str | None, typer.Option(help="Only this digest.", show_default=False)] = None,
    slot: Annotated[str | None, typer.Option(help="Only this slot.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """List notices and deliveries. Notices have the digest `notice`, and their kind as slot."""
    from digestmail.cli import printing
    from digestmail.delivery import admin
    from digestmail.model.deliveries import DeliveryState

    if state is not None and state not in list(DeliveryState):
        raise typer.BadParameter(f"{state!r} is none of {', '.join(DeliveryState)}", param_hint="--state")
    chosen = DeliveryState(state) if state else None
    with open_app(config) as opened:
        check_edition(opened, digest, slot, notices=True)
        found = admin.list_deliveries(opened.database, state=chosen, digest=digest, slot=slot)
        if json:
            printing.as_json(list(found))
            return
        for one in found:
            said = f"{one.code or ''} {one.text}".strip()
            sys.stdout.write(f"{one.digest} {one.slot}  {one.address}  {one.state}  {said}".rstrip() + "\n")


@app.command()
def show(digest: Edition, slot: Slot, address: Address, config: ConfigPath = None, json: Json = False) -> None:
    """Show every attempt at a delivery: time, reply of the server, duration."""
    from digestmail.cli import printing
    from digestmail.delivery import admin
    from digestmail.schedule.times import common_zone

    with open_app(config) as opened:
        check_edition(opened, digest, slot, notices=True)
        attempts = admin.attempts(opened.database, digest, slot, _subscriber(opened, address))
        zone = common_zone(opened.digests)
    if json:
        printing.as_json(attempts)
        return
    for one in attempts:
        took = "" if one.milliseconds is None else f" after {one.milliseconds / 1000:.3f} s"
        at = f"{one.at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S} {zone}"
        sys.stdout.write(f"{one.number}  {at}  {one.state}{took}  {one.code or ''} {one.text}".rstrip() + "\n")


@app.command()
def resolve(
    digest: Edition,
    slot: Slot,
    outcome: Annotated[Literal["sent", "failed"], typer.Option("--as", help="The actual result.")],
    to: To = None,
    config: ConfigPath = None,
    now: Now = None,
) -> None:
    """Record whether ambiguous deliveries of an edition arrived."""
    from digestmail.delivery import admin
    from digestmail.model.deliveries import DeliveryState

    with open_app(config, now) as opened:
        check_edition(opened, digest, slot, notices=True)
        subscriber = _subscriber(opened, to) if to else None
        done = admin.resolve(opened.database, digest, slot, subscriber, DeliveryState(outcome), opened.clock.now())
    sys.stdout.write(f"{done} resolved as {outcome}\n")


@app.command()
def retry(
    digest: Annotated[
        str | None, typer.Argument(metavar="[DIGEST]", help="The name of a digest, or `notice`. Default: all.")
    ] = None,
    slot: Annotated[str | None, typer.Argument(metavar="[SLOT]", help="A slot. Default: all.")] = None,
    to: To = None,
    code: Annotated[
        int | None,
        typer.Option(min=200, max=599, help="Only deliveries whose last reply had this code.", show_default=False),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Only deliveries whose last reply contains this text.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the deliveries.")] = False,
    config: ConfigPath = None,
    now: Now = None,
) -> None:
    """Send ambiguous and failed deliveries again, with the same Message-ID.

    Name an edition, or say by --code and --text which answers were not the recipients' fault.
    """
    from digestmail.delivery import admin
    from digestmail.model.deliveries import Unfinished

    if digest is None and code is None and not text:
        raise typer.BadParameter("name a DIGEST, --code or --text to choose which deliveries to retry")
    with open_app(config, now) as opened:
        check_edition(opened, digest, slot, notices=True)
        meant = Unfinished(
            code=code,
            text=text or None,
            digest=digest,
            slot=slot,
            subscriber_id=_subscriber(opened, to) if to else None,
        )
        database = opened.database
        done = admin.count(database, meant) if dry_run else admin.retry(database, meant, opened.clock.now())
        why = "" if done else _why_none(admin.count_cancelled(database, meant), digest)
    sys.stdout.write(f"{done} {'would be ' if dry_run else ''}queued again{why}\n")


def _why_none(cancelled: int, digest: str | None) -> str:
    """Return why nothing was retried if deliveries were cancelled. Announcements and variants cannot be sent again."""
    from digestmail.model.digests import VARIANT_MARK

    if not cancelled:
        return ""
    if digest is not None and VARIANT_MARK in digest:
        return f"; {cancelled} cancelled"
    return f"; {cancelled} cancelled: `digestmail send` sends an edition to those who did not get it"


@app.command()
def pause(
    hours: Annotated[int, typer.Option(min=1, max=24, help="For how long.")] = 4, config: ConfigPath = None
) -> None:
    """Pause sending. Processes that are sending notice it within a minute; `resume` ends it."""
    from datetime import timedelta

    from digestmail.delivery import admin
    from digestmail.schedule.times import common_zone, written

    with open_app(config) as opened:
        now = opened.wall_clock.now()
        until = now + timedelta(hours=hours)
        admin.pause(opened.database, [transport.name for transport in opened.transports()], until, now)
        zone = common_zone(opened.digests)
    sys.stdout.write(f"sending is paused until {written(until, zone)}; `digestmail deliveries resume` ends it\n")


@app.command()
def resume(config: ConfigPath = None, now: Now = None) -> None:
    """Retry immediately the deliveries that wait for a mail server, after you fixed it."""
    from digestmail.delivery import admin
    from digestmail.text.counts import counted

    with open_app(config, now) as opened:
        paused, due = admin.resume(opened.database, opened.clock.now())
    if not paused and not due:
        sys.stdout.write("no mail server is paused, and no email waits\n")
        return
    servers, emails = counted(paused, "mail server"), counted(due, "email")
    sys.stdout.write(f"{servers} tried again, {emails} due; `digestmail deliver` sends now\n")


@app.command()
def release(
    force: Annotated[
        bool, typer.Option("--force", help="Do it even if a worker seems to be alive: you know that it is gone.")
    ] = False,
    config: ConfigPath = None,
    now: Now = None,
) -> None:
    """Give back what a killed process had claimed, if the next run cannot do it by itself.

    Messages that may have been sent follow [mail] ambiguous: `resend` sends them again under the same Message-ID.
    """
    from digestmail.delivery import stuck
    from digestmail.text.counts import counted

    with open_app(config, now) as opened:
        held = stuck.release(opened.database, opened.wall_clock.now(), force=force)
    maybe = f", {held.begun} of which may have been sent" if held.begun else ""
    letters = f" and {counted(held.notices, 'notice')}" if held.notices else ""
    sys.stdout.write(f"{counted(held.deliveries, 'delivery')}{maybe}{letters} due; `digestmail deliver` sends now\n")


@app.command()
def adopt(config: ConfigPath = None, now: Now = None) -> None:
    """Continue with a database restored from a backup; open deliveries are cancelled, not sent again."""
    from digestmail.delivery import restore
    from digestmail.text.counts import counted

    with open_app(config, now) as opened:
        cancelled = restore.adopt(opened.database, opened.epoch(), opened.wall_clock.now())
    sys.stdout.write(f"{counted(cancelled, 'open delivery')} cancelled; slots that began before now get no edition\n")


def _subscriber(opened: App, address: str) -> int:
    from digestmail.subscribers.admin import show

    return show(opened.database, address).id
