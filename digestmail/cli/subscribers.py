"""`digestmail subscribers`: the operator's hand on who gets what."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, Json, Now, Quiet, open_app

if TYPE_CHECKING:
    from digestmail.model import Subscriber

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Who gets what.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="A mail address.")]


@app.command()
def add(
    address: Address,
    digest: Annotated[str, typer.Option(help="The digest to subscribe to.")],
    topic: Annotated[
        list[str] | None, typer.Option(help="Only this topic; may be repeated. Else all of them.", show_default=False)
    ] = None,
    config: ConfigPath = None,
    now: Now = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Subscribe an address, active at once. Again with other topics changes them."""
    from digestmail import subscriptions

    with open_app(config, now) as opened:
        subscriber = subscriptions.add(
            opened.database, opened.digests, address, digest, topic or [], opened.clock.now()
        )
    _print(subscriber, json=json, quiet=quiet)


@app.command(name="list")
def list_all(
    config: ConfigPath = None,
    digest: Annotated[str | None, typer.Option(help="Only subscribers of this digest.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """List the subscribers."""
    from digestmail import subscriptions
    from digestmail.cli import printing

    with open_app(config) as opened:
        found = subscriptions.list_all(opened.database, digest=digest)
        if json:
            printing.as_json(list(found))
            return
        for subscriber in found:
            sys.stdout.write(f"{_line(subscriber)}\n")


@app.command()
def show(address: Address, config: ConfigPath = None, json: Json = False) -> None:
    """Show one subscriber."""
    from digestmail import subscriptions

    with open_app(config) as opened:
        _print(subscriptions.show(opened.database, address), json=json, quiet=False)


@app.command()
def remove(address: Address, config: ConfigPath = None, now: Now = None, quiet: Quiet = False) -> None:
    """Unsubscribe an address from everything, mail already queued included."""
    from digestmail import subscriptions

    with open_app(config, now) as opened:
        subscriptions.remove(opened.database, address, opened.clock.now())
    if not quiet:
        sys.stdout.write(f"{address} is unsubscribed\n")


def _print(subscriber: Subscriber, *, json: bool, quiet: bool) -> None:
    if json:
        from digestmail.cli import printing

        printing.as_json(subscriber)
    elif not quiet:
        sys.stdout.write(f"{_line(subscriber)}\n")


def _line(subscriber: Subscriber) -> str:
    wants = ", ".join(
        f"{subscription.digest} ({', '.join(subscription.topics) or 'all topics'})"
        for subscription in subscriber.subscriptions
    )
    return f"{subscriber.address}  {subscriber.state}  {wants}".rstrip()
