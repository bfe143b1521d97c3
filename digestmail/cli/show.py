"""`papers`, `editions`, `explain`: read what is on record."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from digestmail.cli.names import check_edition, unknown_name
from digestmail.cli.options import ConfigPath, Json, Now, open_app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from digestmail.app import App
    from digestmail.model.archive import StoredEdition
    from digestmail.model.papers import Paper
    from digestmail.model.selection import Entry

papers = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Papers that the sources listed.")
editions = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Published editions.")

Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="The largest number of rows.")]
Format = Annotated[Literal["bibtex", "ris", "csl-json"], typer.Option("--format", help="The format of the citations.")]
_MOST_CITED = 500
Ref = Annotated[str, typer.Argument(metavar="PAPER", help="An arXiv id, DOI or link, or words of the title.")]


@papers.command(name="list")
def list_papers(
    config: ConfigPath = None,
    source: Annotated[
        str | None, typer.Option(help="Only papers from this source or list of sources.", show_default=False)
    ] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List the papers, most recently seen first."""
    from digestmail.cli import printing
    from digestmail.cli.source_text import find_tables
    from digestmail.editions.archive import papers_seen_last

    with open_app(config) as app:
        found = papers_seen_last(app.database, limit, source)
        if source is not None and not found:
            find_tables(app.config, source)
    if json:
        printing.as_json(found)
        return
    for paper in found:
        sys.stdout.write(f"{paper.id}  {printing.title(paper.title)}\n")


@papers.command(name="show")
def show_paper(paper: Ref, config: ConfigPath = None, json: Json = False) -> None:
    """Show a paper, when each source listed it, and its editions."""
    from digestmail.cli import paper_text, printing
    from digestmail.schedule.times import common_zone

    with open_app(config) as app:
        view, zone = paper_text.view(app, paper), common_zone(app.digests)
    if json:
        printing.as_json(view)
    else:
        paper_text.show(view, zone)


@papers.command(name="cite")
def cite_papers(
    paper: Annotated[
        list[str] | None, typer.Argument(metavar="PAPER...", help="arXiv ids, DOIs or links.", show_default=False)
    ] = None,
    config: ConfigPath = None,
    wanted: Format = "bibtex",
    search: Annotated[
        str | None, typer.Option(help="Cite the newest 500 papers that match these words instead.", show_default=False)
    ] = None,
) -> None:
    """Print citations of papers for a reference manager, in UTF-8."""
    from digestmail.editions.archive import find_paper, newest_matches
    from digestmail.errors import DigestmailError
    from digestmail.model.search import Query

    if bool(paper) == (search is not None):
        raise typer.BadParameter("name papers or use --search", param_hint="PAPER")
    with open_app(config) as app:
        if search is not None:
            found = [match.paper for match in newest_matches(app.database, Query(text=search), limit=_MOST_CITED)]
        else:
            known = {ref: find_paper(app.database, ref) for ref in paper or ()}
            if missing := [ref for ref, one in known.items() if one is None]:
                raise DigestmailError(f"there is no paper {', '.join(map(repr, missing))}")
            found = [one for one in known.values() if one is not None]
    _cite(found, wanted)


@editions.command(name="list")
def list_editions(
    config: ConfigPath = None,
    digest: Annotated[str | None, typer.Option(help="Only editions of this digest.", show_default=False)] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List the editions and announcements, newest first, including empty editions and why they are empty."""
    from digestmail.cli import printing
    from digestmail.editions.archive import editions_made_last
    from digestmail.selection.segments import paper_count
    from digestmail.text.counts import counted

    with open_app(config) as app:
        check_edition(app, digest)
        found = editions_made_last(app.database, limit, digest)
    if json:
        printing.as_json([_with_sections(one) for one in found])
        return
    for row in found:
        edition = row.edition
        said = edition.reason or counted(paper_count(edition), "paper")
        if edition.announcement is not None:
            said = f"announcement: {edition.announcement.subject}"
        sys.stdout.write(f"{edition.digest}  {edition.slot.key}  {said}\n")


@editions.command(name="show")
def show_edition(
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="The name of a digest.")],
    slot: Annotated[str, typer.Argument(metavar="SLOT", help="As `editions list` shows it: 2026-04-02.")],
    config: ConfigPath = None,
    json: Json = False,
) -> None:
    """Show an edition with all topics: sections, papers and scores. Of an announcement, show the text."""
    from digestmail.cli import printing
    from digestmail.selection.segments import for_all_topics

    with open_app(config) as app:
        found = _edition(app, digest, slot)
    if json:
        printing.as_json(_with_sections(found))
        return
    edition = found.edition
    if edition.announcement is not None:
        sys.stdout.write(f"{edition.announcement.text}\n")
        return
    sys.stdout.write(f"{edition.title}, {edition.slot.day:%a %d %B %Y}\n{edition.reason}".rstrip() + "\n")
    if edition.missing:
        sys.stdout.write(f"waited in vain for {', '.join(edition.missing)}\n")
    sections = for_all_topics(edition)
    for section in sections:
        _show_entries(section.topic or "Also trending", section.entries)
    shown = {entry.paper.id for section in sections for entry in section.entries}
    others = [entry for entry in edition.entries if entry.paper.id not in shown]
    if others:
        _show_entries("Only for readers who chose their topic", others)


@editions.command(name="cite")
def cite_edition(
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="The name of a digest.")],
    slot: Annotated[str, typer.Argument(metavar="SLOT", help="As `editions list` shows it: 2026-04-02.")],
    config: ConfigPath = None,
    wanted: Format = "bibtex",
    topic: Annotated[str | None, typer.Option(help="Only the papers of this topic.", show_default=False)] = None,
) -> None:
    """Print citations of an edition's papers for a reference manager, in UTF-8."""
    from digestmail.editions.archive import papers_today
    from digestmail.selection.segments import for_page

    with open_app(config) as app:
        found = _edition(app, digest, slot)
        sections = for_page(found.edition, topic)
        if sections is None:
            topics = found.edition.topics
            raise unknown_name("topic", str(topic), topics, are="the edition has")
        shown = [entry.paper for section in sections for entry in section.entries]
        cited = papers_today(app.database, shown)
    _cite(cited, wanted)


def _edition(app: App, digest: str, slot: str) -> StoredEdition:
    from digestmail.editions.archive import find_edition
    from digestmail.errors import DigestmailError

    check_edition(app, digest, slot)
    found = find_edition(app.database, digest, slot)
    if found is None:  # only a variant has it
        raise DigestmailError(
            f"there is no edition {slot!r} of {digest}, but of a variant: `digestmail editions list` names it"
        )
    return found


def _cite(papers: Iterable[Paper], wanted: str) -> None:
    """Print citations in UTF-8, whatever the terminal's encoding is, and with the line ends of the format."""
    from digestmail.papers.citations.formats import CitationFormat, cite

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    sys.stdout.write(cite(papers, CitationFormat(wanted)))


def _with_sections(found: StoredEdition) -> dict[str, Any]:
    """Return a stored edition for JSON, and besides what it holds the sections of who takes everything."""
    from dataclasses import fields

    from digestmail.selection.segments import for_all_topics

    edition = {field.name: getattr(found.edition, field.name) for field in fields(found.edition)}
    return {"id": found.id, "edition": edition | {"sections": for_all_topics(found.edition)}}


def _show_entries(heading: str, entries: Iterable[Entry]) -> None:
    from digestmail.cli import printing

    sys.stdout.write(f"\n{heading}\n")
    for entry in entries:
        title = printing.title(entry.paper.title)
        sys.stdout.write(f"{entry.rank:4}  {entry.score.total:6.2f}  {entry.paper.id}  {title}\n")


def explain(
    paper: Ref,
    config: ConfigPath = None,
    subscriber: Annotated[
        str | None,
        typer.Option(help="Also explain for the reader with this address, and why it is picked for them or not."),
    ] = None,
    now: Now = None,
    json: Json = False,
) -> None:
    """Explain for every digest why a paper was, will be or will not be selected."""
    from digestmail.cli import printing
    from digestmail.editions.explain import explain_paper
    from digestmail.subscribers import admin

    with open_app(config, now) as app:
        reader = None if subscriber is None else admin.show(app.database, subscriber)
        found, explanations = explain_paper(
            app.database, app.digests, paper, app.clock.now(), app.horizon(), reader=reader
        )
    if json:
        printing.as_json({"paper": found, "digests": explanations})
        return
    sys.stdout.write(f"{found.id}  {found.title}\n")
    for explanation in explanations:
        sys.stdout.write(f"\n{explanation.digest} {explanation.slot}: {explanation.outcome}\n")
        for reason in explanation.reasons:
            sys.stdout.write(f"  {reason}\n")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(explain)
