"""`digestmail subscribers`: the operator's hand on who gets what."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli import transfer
from digestmail.cli.options import ConfigPath, Json, Now, Quiet, open_app, parse_now

if TYPE_CHECKING:
    from datetime import datetime

    from digestmail.app import App
    from digestmail.model.subscribers import Subscriber

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Subscribers and their subscriptions.")
transfer.register(app)

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An email address.")]


@app.command()
def add(
    address: Address,
    digest: Annotated[
        str | None,
        typer.Option(help="The digest to subscribe to. Default: the only one there is.", show_default=False),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(help="Only this topic; can be repeated. Default: all topics.", show_default=False),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="The language of their emails. Default: the digest's.", show_default=False)
    ] = None,
    hour: Annotated[
        int | None,
        typer.Option(min=0, max=23, help="Deliver at this hour. Default: when it is published.", show_default=False),
    ] = None,
    cadence: Annotated[
        str | None,
        typer.Option(
            help="weekdays, weekly or monthly. Default: every edition.", metavar="CADENCE", show_default=False
        ),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="The time zone of the hour. Default: the digest's.", show_default=False)
    ] = None,
    config: ConfigPath = None,
    now: Now = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Subscribe an address without confirmation. Run it again with other topics to change them."""
    from digestmail.subscribers import admin
    from digestmail.subscribers.validate import cadence_from

    chosen = cadence_from(cadence or "")
    with open_app(config, now) as opened:
        name = digest or _only_digest(opened)
        _check_details(opened, language, timezone)
        moment = opened.clock.now()
        subscriber = admin.add(opened.database, opened.digests, address, name, topic or [], moment)
        if (hour, chosen, language, timezone) != (None,) * 4:
            subscriber = admin.set_details(
                opened.database, address, name, moment, hour=hour, cadence=chosen, language=language, timezone=timezone
            )
    _print(subscriber, moment, json=json, quiet=quiet)


def _only_digest(app: App) -> str:
    names = [digest.name for digest in app.digests]
    if len(names) > 1:
        raise typer.BadParameter(f"there are several digests: choose one of {', '.join(names)}", param_hint="--digest")
    return names[0]


def _check_details(app: App, language: str | None, timezone: str | None) -> None:
    from digestmail.schedule.timezones import check_timezone

    known = app.mail.renderer.languages()
    if language is not None and language not in known:
        raise typer.BadParameter(f"{language!r} is none of {', '.join(known)}", param_hint="--language")
    if timezone is not None and (wrong := check_timezone(timezone)):
        raise typer.BadParameter(wrong, param_hint="--timezone")


@app.command(name="list")
def list_all(
    config: ConfigPath = None,
    digest: Annotated[str | None, typer.Option(help="Only subscribers of this digest.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """List the subscribers."""
    from digestmail.cli import printing
    from digestmail.cli.names import find_named
    from digestmail.subscribers import admin

    with open_app(config) as opened:
        if digest is not None and not admin.page(opened.database, digest=digest, limit=1):
            find_named("digest", digest, opened.digests)
        found = admin.list_all(opened.database, digest=digest)
        moment = opened.clock.now()
        if json:
            printing.as_json(list(found))
            return
        for subscriber in found:
            sys.stdout.write(f"{_line(subscriber, moment)}\n")


@app.command()
def show(address: Address, config: ConfigPath = None, json: Json = False) -> None:
    """Show everything about one subscriber: choices, interests, consent, pause and suppression."""
    from dataclasses import asdict

    from digestmail.cli import printing, subscriber_text
    from digestmail.subscribers import admin, interests

    with open_app(config) as opened:
        found = admin.show(opened.database, address)
        given = interests.find(opened.database, found.id)
        if json:
            printing.as_json(asdict(found) | {"interests": given})
        else:
            subscriber_text.show(opened, found, given)


@app.command()
def remove(address: Address, config: ConfigPath = None, now: Now = None, quiet: Quiet = False) -> None:
    """Unsubscribe an address from all digests and cancel its queued email."""
    from digestmail.subscribers import admin

    with open_app(config, now) as opened:
        admin.remove(opened.database, address, opened.clock.now())
    if not quiet:
        sys.stdout.write(f"{address} is unsubscribed\n")


@app.command()
def pause(
    address: Address,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Send nothing before this day (UTC).", show_default=False)
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End the pause now.")] = False,
    config: ConfigPath = None,
    now: Now = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Pause all email to an address, including queued email. It stays subscribed."""
    from digestmail.subscribers import admin, preferences

    if (until is None) is not end:
        raise typer.BadParameter("use either --until DATE or --end", param_hint="--until")
    end_at = parse_now(until, "--until")
    with open_app(config, now) as opened:
        found, moment = admin.show(opened.database, address), opened.clock.now()
        subscriber = preferences.pause(opened.database, found.id, end_at, moment)
    _print(subscriber, moment, json=json, quiet=quiet)


@app.command(name="change-address")
def change_address(
    address: Address,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new address.")],
    config: ConfigPath = None,
    now: Now = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Move a subscription to another address without sending a notice."""
    from digestmail.subscribers import address_change
    from digestmail.text.addresses import normalize_address

    with open_app(config, now) as opened:
        moment = opened.clock.now()
        subscriber = address_change.change_by_operator(
            opened.database, normalize_address(address), normalize_address(new), moment
        )
    _print(subscriber, moment, json=json, quiet=quiet)


@app.command()
def erase(
    address: Address, config: ConfigPath = None, now: Now = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Erase all data about an address. Only a keyed hash is kept, so that no import adds it again."""
    from digestmail.cli import printing
    from digestmail.subscribers import admin, data_export
    from digestmail.text.counts import counted
    from digestmail.text.credentials import new_secret

    with open_app(config, now) as opened:
        found = admin.show(opened.database, address)
        erased = data_export.erase(opened.database, found.id, opened.clock.now(), random_token=new_secret)
    if json:
        printing.as_json(erased)
    elif not quiet:
        sys.stdout.write(f"erased; {counted(erased.deliveries, 'delivery')} kept without the address\n")


def _print(subscriber: Subscriber, now: datetime, *, json: bool, quiet: bool) -> None:
    if json:
        from digestmail.cli import printing

        printing.as_json(subscriber)
    elif not quiet:
        sys.stdout.write(f"{_line(subscriber, now)}\n")


def _line(subscriber: Subscriber, now: datetime) -> str:
    from digestmail.schedule.moments import is_paused

    wants = ", ".join(
        f"{subscription.digest} ({', '.join(subscription.topics) or 'all topics'})"
        for subscription in subscriber.subscriptions
    )
    paused = f"  paused until {subscriber.paused_until:%Y-%m-%d}" if is_paused(subscriber.paused_until, now) else ""
    return f"{subscriber.address}  {subscriber.state}  {wants}".rstrip() + paused
