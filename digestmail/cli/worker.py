"""`digestmail worker`: one of several processes, on one or many machines, that share the work."""

from __future__ import annotations

from typing import Annotated

import typer

from digestmail.cli.options import ConfigPath, Quiet

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
    and the extra digestmail[cluster]. SIGHUP reads the configuration again. For web pages and bounces, run
    `digestmail up --no-run` on one of the machines.
    """
    from digestmail.cli.up import supervise
    from digestmail.cluster.plan import JobKind
    from digestmail.service.parts import Wanted

    if unknown := sorted(set(only or ()) - set(_KINDS)):
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(_KINDS)}", param_hint="--only")
    kinds = [JobKind(one) for one in only or _KINDS]
    supervise(config, Wanted(run=False, bounces=False, web=False, jobs=kinds), quiet=quiet)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)
