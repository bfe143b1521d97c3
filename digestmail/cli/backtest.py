"""`backtest`: what another configuration would have sent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digestmail.cli.options import ConfigPath, Json, Now, open_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digestmail.config.settings import Config
    from digestmail.model.digests import Digest


def backtest(
    candidate: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="The configuration file to compare with the present one.")
    ],
    config: ConfigPath = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days to replay.")] = 30,
    digest: Annotated[str | None, typer.Option(help="Compare only this digest.", show_default=False)] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page with all papers.", show_default=False)
    ] = None,
    now: Now = None,
    json: Json = False,
) -> None:
    """Compare what another configuration would have sent with the stored papers. Nothing is stored or sent.

    Both configurations are replayed slot by slot, as readers of all topics get them.
    """
    from dataclasses import replace

    from digestmail.cli import backtest_page, backtest_text, printing, progress
    from digestmail.config.load import load
    from digestmail.editions.backtest import backtest as replay
    from digestmail.model.reports import no_progress

    if html is not None and not html.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {html.absolute().parent}", param_hint="--html")
    with progress.shown(quiet=json) as shown, open_app(config, now, progress=shown) as app:
        other = load(candidate)
        old, new = _selected(app.digests, other.digest_values(), digest)
        at, progressing = app.clock.now(), shown or no_progress
        result = replay(app.database, old, new, at, days=days, horizon=app.horizon(), progress=progressing)
    result = replace(result, notes=(*result.notes, *_source_notes(app.config, other, [*old, *new])))
    if html is not None:
        html.write_text(backtest_page.render(result, str(candidate)), "utf-8")
    if json:
        printing.as_json(result)
        return
    backtest_text.show(result, str(candidate))
    if html is not None:
        sys.stdout.write(f"\nwrote {html}\n")


def _selected(
    old: Sequence[Digest], new: Sequence[Digest], name: str | None
) -> tuple[Sequence[Digest], Sequence[Digest]]:
    """Return the digests of both sides that are called `name`, all if it is None. Raises DigestmailError."""
    if name is None:
        return old, new
    from digestmail.cli.names import find_named

    find_named("digest", name, [*old, *(one for one in new if one.name not in {each.name for each in old})])
    return [one for one in old if one.name == name], [one for one in new if one.name == name]


def _source_notes(old: Config, new: Config, digests: Sequence[Digest]) -> list[str]:
    """Say which sources are configured differently, because their stored papers are those of the present ones."""
    before = {table.name: table for table in old.sources}
    used = {name for digest in digests for name in digest.sources}
    return [
        f"the source {table.name} is configured differently; its papers are those that the present one gave"
        for table in new.sources
        if table.name in used and table.name in before and before[table.name] != table
    ]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backtest)
