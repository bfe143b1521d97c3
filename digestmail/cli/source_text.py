"""What `digestmail sources` finds out and prints. Addresses are shown without passwords and tokens."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, get_args

from digestmail.cli import printing
from digestmail.cli.names import unknown_name
from digestmail.collect.collector import list_health
from digestmail.config.fetched import alternatives
from digestmail.config.known_services import service_of
from digestmail.config.settings import Config
from digestmail.config.source_tables import NewSources
from digestmail.config.sources import KINDS, AnySource
from digestmail.errors import SourceError
from digestmail.model.papers import Sighting, SourceHealth
from digestmail.sources.discovery import find_feed
from digestmail.text.counts import counted
from digestmail.text.credentials import masked_address
from digestmail.wiring.sources import open_source

if TYPE_CHECKING:
    from digestmail.app import App

_COMMON = frozenset({"name", "kind"})
_SHOWN = 5
"""How many papers of a source are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A configured source and how its last reading went."""

    name: str
    title: str
    """What the list calls it, if it is a feed of an OPML file; else empty."""
    kind: str
    address: str
    health: SourceHealth | None
    """None if it was never read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of fetching a source once."""

    address: str
    shown: str
    """The address as it is printed."""
    title: str = ""
    entries: int
    papers: tuple[Sighting, ...]
    skipped: dict[str, int]
    """How many entries cannot be used, by reason."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """A kind of source."""

    kind: str
    about: str
    keys: tuple[str, ...]
    """The keys of its own that it needs, besides `name` and `kind`."""
    one_of: tuple[str, ...] = ()
    """Keys of which it needs exactly one."""


def kinds() -> tuple[SourceKind, ...]:
    """Return the kinds of sources there are."""
    return tuple(
        SourceKind(
            kind=get_args(table.model_fields["kind"].annotation)[0],
            about=table.about,
            keys=tuple(key for key, one in table.model_fields.items() if one.is_required() and key not in _COMMON),
            one_of=table.one_of,
        )
        for table in KINDS
    )


def show_kinds(known: Sequence[SourceKind]) -> None:
    """Print the kinds of sources, and which keys they need."""
    rows = []
    for one in known:
        needed = [*one.keys, *([alternatives(one.one_of)] if one.one_of else [])]
        rows.append((one.kind, one.about + (f"; needs {', '.join(needed)}" if needed else "")))
    printing.table(rows)


def find_tables(config: Config, name: str) -> tuple[AnySource, ...]:
    """Return the table of the source `name`, or those of all sources in the list `name`. Raises DigestmailError."""
    found = tuple(table for table in config.sources if name in {table.name, table.name.partition("/")[0]})
    if not found:
        raise unknown_name(
            "source", name, list(dict.fromkeys(table.name.partition("/")[0] for table in config.sources))
        )
    return found


def rows(app: App) -> list[SourceRow]:
    """Return every configured source."""
    healths = {row.source: row for row in list_health(app.database) if not row.category}
    return [
        SourceRow(
            name=table.name,
            title=table.title,
            kind=table.kind,
            address=masked_address(table.address),
            health=healths.get(table.name),
        )
        for table in app.config.sources
    ]


def show_rows(found: Sequence[SourceRow]) -> None:
    """Print the sources in columns, each with the sentence about its last reading."""
    printing.table(
        [
            (
                f"{row.name} ({row.title})" if row.title else row.name,
                row.kind,
                row.health.health if row.health else "-",
                row.address,
                _said(row.health),
            )
            for row in found
        ]
    )


def _said(health: SourceHealth | None) -> str:
    return f"{health.detail} (read {health.read_at:%a %d %b %H:%M} UTC)" if health else "not read yet"


def try_out(app: App, source: str) -> Trial:
    """Fetch a configured source, each of a list, or any address, once. Raises SourceError, or DigestmailError.

    What cannot be read of a list is noted, unless it is all of it.
    """
    if "://" in source:
        return try_out_url(app, source)
    trials: list[Trial] = []
    notes: list[str] = []
    failure: SourceError | None = None
    for table in find_tables(app.config, source):
        try:
            trials.append(try_out_table(app, table))
        except SourceError as error:
            failure = error
            notes.append(f"{table.shown_name} could not be read: {error}")
    if failure is not None and not trials:
        raise failure
    return trials[0] if len(trials) == 1 and not notes else _together(source, trials, notes)


def try_out_table(app: App, table: AnySource) -> Trial:
    """Fetch the source of a table once. Raises SourceError."""
    with open_source(app.config, app.database, app.wall_clock, SystemRandom(), table) as (_, opened):
        assert opened is not None  # noqa: S101 - there is one for a table
        reading = opened.read(app.clock.now(), None)
    return Trial(
        address=table.address,
        shown=masked_address(table.address),
        entries=reading.entries,
        papers=reading.sightings,
        skipped=dict(Counter(skip.reason for skip in reading.skipped)),
        notes=(f"incomplete: {reading.partial}",) if reading.partial else (),
    )


def _together(name: str, trials: Sequence[Trial], notes: Sequence[str]) -> Trial:
    """Return what came of fetching each source of a list."""
    skipped: Counter[str] = Counter()
    for trial in trials:
        skipped.update(trial.skipped)
    return Trial(
        address=name,
        shown=name,
        entries=sum(trial.entries for trial in trials),
        papers=tuple(paper for trial in trials for paper in trial.papers),
        skipped=dict(skipped),
        notes=(*notes, *(f"{trial.shown}: {note}" for trial in trials for note in trial.notes)),
    )


def try_out_url(app: App, url: str) -> Trial:
    """Fetch any address once; a web page counts as the feed that it names. Raises SourceError.

    A page of a service that is read through its API counts as a source of its kind.
    """
    if (service := service_of(url, "service")) is not None:
        trial = try_out_table(app, service)
        return replace(trial, address=url, notes=(f"read as a source of the kind {service.kind}", *trial.notes))
    network = app.config.network.model_copy(update={"allow_private_hosts": ()})
    public = app.config.model_copy(update={"network": network})
    with (
        open_source(app.config, app.database, app.wall_clock, SystemRandom()) as (http, _),
        open_source(public, app.database, app.wall_clock, SystemRandom()) as (elsewhere, _),
    ):
        found = find_feed(http, url, app.clock.now(), elsewhere=elsewhere)
    notes = []
    if found.url != url:
        notes.append(f"{masked_address(url)} is a web page; its feed is {masked_address(found.url)}")
    notes += [
        f"the page also names {masked_address(each.url)} {printing.title(each.title)}".rstrip() for each in found.others
    ]
    if found.redirected_to:
        notes.append(f"it redirects to {masked_address(found.redirected_to)}")
    if found.parsed.partial:
        notes.append(f"incomplete: {found.parsed.partial}")
    return Trial(
        address=found.url,
        shown=masked_address(found.url),
        title=found.title,
        entries=found.parsed.entries,
        papers=found.parsed.sightings,
        skipped=dict(Counter(skip.reason for skip in found.parsed.skipped)),
        notes=tuple(notes),
    )


def show_trial(trial: Trial) -> None:
    """Print what came, the first papers of it, and what is wrong."""
    out = sys.stdout
    out.write(f"{trial.shown}: {counted(trial.entries, 'entry')}, {counted(len(trial.papers), 'paper')}\n")
    out.writelines(f"note: {note}\n" for note in trial.notes)
    for reason, count in trial.skipped.items():
        out.write(f"{count} skipped: {reason}\n")
    for sighting in trial.papers[:_SHOWN]:
        out.write(f"  {sighting.day}  {printing.title(sighting.paper.title)}\n              {sighting.paper.id}\n")
    if not trial.entries:
        out.write("nothing there: the feed is empty, or has nothing new since arXiv's last announcement\n")


def show_added(path: Path, found: NewSources, text: str, *, dry_run: bool) -> None:
    """Print what was appended to `path`, exactly, and what was not and why."""
    if found.tables:
        sys.stdout.write(f"{'would append to' if dry_run else 'appended to'} {path}:\n{text}\n")
    counts = f"{len(found.tables)} new, {len(found.duplicates)} configured already, {len(found.refused)} refused"
    sys.stdout.write(f"{counts}\n")
    for address, reason in found.refused:
        sys.stdout.write(f"refused {masked_address(address)}: {reason}\n")
    if found.tables:
        names = ", ".join(f'"{table.name}"' for table in found.tables)
        sys.stdout.write(f"next: add to sources of the [[digests]] that should read them: {names}\n")
