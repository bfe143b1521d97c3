"""`templates list|copy|check`: the operator's own templates."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, open_app

if TYPE_CHECKING:
    from pathlib import Path

    from digestmail.app import App

_FAST = "If an edition has many different emails, they are assembled from parts.\n"
_SLOW = """Emails are rendered one by one, which takes about fifty times as long if an edition has many different ones.
What templates may use is in docs/templates.md, "Emails of which there are many".
"""

app = typer.Typer(help="List, copy and check templates.")


@app.command("list")
def list_(config: ConfigPath = None) -> None:
    """List the templates and catalogues, and which of them you replaced."""
    from digestmail.cli import printing
    from digestmail.mail.template_files import templates_directory

    with open_app(config) as opened:
        own = _own(opened)
    house = templates_directory()
    names = {path.relative_to(house).as_posix() for path in house.rglob("*") if path.is_file()}
    added = {path.relative_to(own).as_posix() for path in own.rglob("*") if path.is_file()} if own else set()
    rows = [(name, "yours" if name in added else "digestmail's") for name in sorted(names | added)]
    printing.table(rows)


@app.command()
def copy(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="As `templates list` shows them.")],
    config: ConfigPath = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Copy templates into your templates_dir so that you can change them."""
    from digestmail.cli.names import unknown_name
    from digestmail.errors import DigestmailError
    from digestmail.mail.template_files import templates_directory

    with open_app(config) as opened:
        own = _own(opened)
    if own is None:
        raise DigestmailError("templates_dir is not set: there is nowhere to copy to")
    house = templates_directory()
    known = {path.relative_to(house).as_posix(): path for path in house.rglob("*") if path.is_file()}
    for name in names:
        if name not in known:
            raise unknown_name("template", name, sorted(known), are="there are")
        target = own / name
        if target.exists() and not force:
            raise DigestmailError(f"{target} is there already; --force writes over it")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(known[name].read_bytes())
        sys.stdout.write(f"{target}\n")


@app.command()
def check(config: ConfigPath = None) -> None:
    """Render every template in every layout and language, and report errors and what makes sending slow."""
    from digestmail.mail.template_check import assembly_obstacles, template_problems

    with open_app(config) as opened:
        renderer, is_own = opened.mail.renderer, _own(opened) is not None
        problems = list(template_problems(renderer))
    for problem in problems:
        sys.stdout.write(f"problem: {problem}\n")
    if problems:
        raise typer.Exit(1)
    if is_own:
        obstacles = list(assembly_obstacles(renderer))
        for obstacle in obstacles:
            sys.stdout.write(f"slow: {obstacle}\n")
        sys.stdout.write(_SLOW if obstacles else _FAST)
    sys.stdout.write("all well\n")


def _own(opened: App) -> Path | None:
    directory = opened.config.templates_dir
    return opened.base / directory if directory else None
