"""`digestmail oauth`: sign in to the account that a mail server is used with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from digestmail.cli.options import ConfigPath, Quiet, open_app

if TYPE_CHECKING:
    from digestmail.app import App
    from digestmail.oauth.answers import TokenGrant
    from digestmail.oauth.endpoint import OAuthEndpoint
    from digestmail.oauth.presets import Application
    from digestmail.oauth.sign_in import DeviceCode

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="OAuth 2 logins to mail servers.")

_TABLES = {"smtp": "mail.smtp", "fallback": "mail.fallback", "bounces": "bounces"}


@app.callback()
def group() -> None:
    """Stand above the commands: with one of them alone Typer would leave its name out."""


@app.command()
def login(
    server: Annotated[
        Literal["smtp", "fallback", "bounces"],
        typer.Option(help="Which server to sign in for: [mail.smtp], [mail.fallback] or [bounces]."),
    ] = "smtp",
    config: ConfigPath = None,
    quiet: Quiet = False,
) -> None:
    """Sign in with a browser on any device, and store the refresh token in the database."""
    from digestmail.wiring.oauth import sign_in_application

    with open_app(config) as opened:
        tokens, application, endpoint = sign_in_application(
            opened.config, opened.database, opened.wall_clock, _TABLES[server]
        )
        tokens.accept(_sign_in(opened, application, endpoint))
    if not quiet:
        sys.stdout.write("signed in; `digestmail check --connect` tries the login\n")


def _sign_in(opened: App, application: Application, endpoint: OAuthEndpoint) -> TokenGrant:
    from digestmail.oauth.sign_in import REDIRECT, in_browser, redeem, with_code
    from digestmail.text.credentials import new_secret

    if application.device_url is not None:
        return with_code(application, endpoint, opened.wall_clock, _show)
    begun = in_browser(application, new_secret(), new_secret())
    sys.stdout.write(
        f"Open this address in a browser, and sign in to the account of the mail server:\n\n  {begun.address}\n\n"
        f"In the end, the browser shows an error, because nothing answers at {REDIRECT}. Copy the address of that "
        "page, paste it here and press Enter:\n"
    )
    sys.stdout.flush()
    return redeem(application, endpoint, begun, sys.stdin.readline())


def _show(code: DeviceCode) -> None:
    sys.stdout.write(
        f"Open {code.address} in a browser, enter the code {code.user_code}, and sign in to the account of the mail "
        "server.\n"
    )
    sys.stdout.flush()
