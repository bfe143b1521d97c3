"""`digestmail dkim`: keys, and what goes into the DNS."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from digestmail.cli.options import ConfigPath, Json, Quiet, open_app

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="DKIM keys and their DNS records.")


@app.command()
def generate(
    domain: Annotated[str, typer.Option(help="The signing domain: the domain of the sender or a parent of it.")],
    algorithm: Annotated[
        Literal["rsa", "ed25519"], typer.Option(help="The key type; all verifiers support rsa.")
    ] = "rsa",
    selector: Annotated[
        str | None, typer.Option(help="The DKIM selector. Default: digest-rsa or digest-ed25519.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The key file. Default: dkim-rsa.pem or dkim-ed25519.pem.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Create a key in a file that only its owner can read, and print the DNS record. Existing files are kept."""
    from digestmail.errors import ConfigError
    from digestmail.mail import dkim

    chosen = dkim.Algorithm(algorithm)
    path = output or Path(f"dkim-{algorithm}.pem")
    pem = dkim.generate(chosen)
    try:
        record = dkim.Signer(domain=domain, selector=selector or f"digest-{algorithm}", pem=pem).record()
    except ValueError as error:
        raise ConfigError([str(error)]) from error
    _write_secret(path, pem)
    if json:
        _print_json([record])
    elif not quiet:
        sys.stdout.write(f"; {path} holds the key: name it as {algorithm}_key_file in [mail.dkim]\n")
        sys.stdout.write(f"{record.zone_line()}\n")


@app.command()
def show(config: ConfigPath = None, json: Json = False) -> None:
    """Print the DNS record of every configured key."""
    with open_app(config) as opened:
        records = [signer.record() for signer in opened.mail.signers]
    if json:
        _print_json(records)
        return
    for record in records:
        sys.stdout.write(f"{record.zone_line()}\n")
    if not records:
        sys.stdout.write("; no key is configured: mails are not signed\n")


def _print_json(records: object) -> None:
    from digestmail.cli import printing

    printing.as_json(records)


def _write_secret(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600. Raises FileExistsError, and leaves no half of one behind."""
    import os

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
