"""Print what the verbs answered: plain lines for people, JSON for programs."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import typer

from digestmail.model.digests import shown_name
from digestmail.model.outputs import OutputsReport
from digestmail.model.reports import (
    ASKED_TO_STOP,
    CollectReport,
    DeliverReport,
    DigestReport,
    EmbeddingReport,
    EnrichmentReport,
    LearningReport,
    PublishReport,
    ReadingListsReport,
    RunReport,
    SourceReport,
    SummaryReport,
)
from digestmail.schedule.times import written
from digestmail.text.counts import counted
from digestmail.text.truncate import at_word

_LONGEST_TITLE = 120
_NAMED = 5
"""Missed slots that are named, the last ones."""
Report = RunReport | CollectReport | PublishReport | DeliverReport


def report(value: Report, *, json: bool, quiet: bool, failed: bool, zone: str = "UTC") -> None:
    """Print a report and leave with 1 if something failed. With `quiet` only a failure speaks, on standard error.

    Times are written in the IANA time zone `zone`.
    """
    show(value, json=json, quiet=quiet, failed=failed, zone=zone)
    if failed:
        raise typer.Exit(1)


def show(value: Report, *, json: bool, quiet: bool, failed: bool, zone: str = "UTC") -> None:
    """Print a report like `report`, but do not leave."""
    if json:
        as_json(value)
    elif failed or not quiet:
        stream = sys.stderr if failed and quiet else sys.stdout
        for line in lines(value, zone):
            stream.write(f"{line}\n")


def as_json(value: Any) -> None:
    """Print any report or value of the model as JSON."""
    from pydantic_core import to_json

    write_utf8()
    sys.stdout.write(to_json(value, indent=2).decode() + "\n")


def write_utf8() -> None:
    """Write standard output in UTF-8 from here on, whatever the terminal is: what programs read has one encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def table(rows: Iterable[tuple[object, ...]]) -> None:
    """Print rows in columns of equal width."""
    cells = [tuple(str(cell) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def title(text: str) -> str:
    """Return a title for a line of a list. A feed may give one of thousands of characters; `--json` has all of it."""
    return at_word(text, _LONGEST_TITLE)


def lines(value: Report, zone: str = "UTC") -> Iterator[str]:
    """Yield a report as lines, its times in the IANA time zone `zone`."""
    if isinstance(value, CollectReport):
        yield from _collect_lines(value)
    elif isinstance(value, PublishReport):
        for digest in value.digests:
            yield from _digest_lines(digest, zone)
    elif isinstance(value, DeliverReport):
        yield from _deliver_lines(value, zone)
    elif value.busy:
        yield "another run is in progress; nothing was done"
    else:
        yield from lines(value.collect)
        yield from lines(value.publish, zone)
        if value.dry_run:
            yield "dry run: nothing was stored or sent"
        else:
            yield from lines(value.deliver, zone)


def _collect_lines(value: CollectReport) -> Iterator[str]:
    for source in value.sources:
        yield from _source_lines(source)
    if value.reading_lists is not None:
        yield _reading_lists_line(value.reading_lists)
    if value.embedding is not None:
        yield _embedding_line(value.embedding)
    if value.learning is not None:
        yield _learning_line(value.learning)
    if value.summaries is not None:
        yield _summaries_line(value.summaries)
    for index in value.enrichment:
        yield _enrichment_line(index)


def _source_lines(source: SourceReport) -> Iterator[str]:
    whole, *categories = source.health
    yield (
        f"collect  {source.shown}: {whole.health}, {counted(source.entries, 'entry')}, "
        f"{counted(source.new, 'new paper')}, {source.updated} updated; {whole.detail}"
    )
    for reason, count in source.skipped.items():
        yield f"         {source.shown}: {count} skipped: {reason}"
    if len(categories) > 1:
        for row in categories:
            yield f"         {source.source} {row.category}: {row.health}; {row.detail}"


def _reading_lists_line(lists: ReadingListsReport) -> str:
    counts = {
        f"read with {counted(lists.papers, 'paper')}": lists.read,
        "unchanged": lists.unchanged,
        "could not be read": lists.failed,
        "postponed": lists.postponed,
    }
    text = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "none finished in time"
    skipped = f"; {counted(lists.skipped, 'record')} skipped" if lists.skipped else ""
    return f"collect  reading lists: {text}{skipped}"


def _embedding_line(embedding: EmbeddingReport) -> str:
    done = f"collect  {counted(embedding.papers, 'paper')} embedded"
    return f"{done}; the next run continues: {embedding.problem}" if embedding.problem else done


def _summaries_line(report: SummaryReport) -> str:
    done = f"collect  {counted(report.summaries, 'summary')} written"
    refused = f", {report.refused} refused" if report.refused else ""
    lacking = f", {report.lacking} lacking" if report.lacking else ""
    return f"{done}{refused}{lacking}" + (f": {report.problem}" if report.problem else "")


def _enrichment_line(report: EnrichmentReport) -> str:
    done = f"collect  {report.index}: {report.known} of {counted(report.asked, 'paper')} known"
    return f"{done}; the next run continues: {report.problem}" if report.problem else done


def _learning_line(learning: LearningReport) -> str:
    if learning.problem:
        return f"collect  topics not learned from {counted(learning.papers, 'paper')}: {learning.problem}"
    done = f"collect  {counted(learning.topics, 'topic')} learned from {counted(learning.papers, 'paper')}"
    if learning.without_topics:
        return f"{done}; the topics themselves were not embedded: {learning.without_topics}"
    return done


def _digest_lines(digest: DigestReport, zone: str) -> Iterator[str]:
    slot = f" {digest.slot}" if digest.slot else ""
    text = f"publish  {shown_name(digest.digest)}{slot}: {digest.status}"
    if digest.status == "published":
        text += f", {digest.papers} of {counted(digest.considered, 'paper')}, {counted(digest.recipients, 'recipient')}"
        text += f", papers picked for {digest.personal}" if digest.personal else ""
        text += f", nothing left for {digest.nothing_for}" if digest.nothing_for else ""
        text += f", {digest.shortened} shortened to fit" if digest.shortened else ""
    if digest.missed:
        text += f"; {counted(len(digest.missed), 'slot')} before it missed: {', '.join(digest.missed[-_NAMED:])}"
    text += f"; {digest.reason}" if digest.reason else ""
    text += f"; next edition due {written(digest.next_at, zone)}" if digest.next_at else ""
    yield text


def _deliver_lines(value: DeliverReport, zone: str) -> Iterator[str]:
    troubles = {
        "deferred": value.deferred,
        "failed": value.failed,
        "cancelled": value.cancelled,
        "ambiguous": value.ambiguous,
        "suppressed": value.suppressed,
    }
    text = f"deliver  {value.sent} sent" + "".join(f", {count} {name}" for name, count in troubles.items() if count)
    if value.stopped:
        text += f"; stopped: {value.stopped}"
    elif value.trouble:
        text += f"; last trouble: {value.trouble}"
    if value.next_due_at:
        text += f"; next due {written(value.next_due_at, zone)}"
    yield text
    if value.stopped and value.stopped != ASKED_TO_STOP:
        yield "         when the cause is fixed, `digestmail deliveries resume` tries again at once"
    if value.notices:
        yield "notices  " + ", ".join(f"{count} {state}" for state, count in sorted(value.notices.items()))
    yield from (f"         {block}" for block in value.blocks)
    yield from (f"         the delivery counts do not add up: {edition}" for edition in value.unbalanced)
    yield from outputs_lines(value.outputs)


def outputs_lines(value: OutputsReport) -> Iterator[str]:
    """Yield what was sent to outputs as lines; none if nothing was attempted."""
    counts = {
        "deferred": value.deferred,
        "failed": value.failed,
        "cancelled": value.cancelled,
        "ambiguous": value.ambiguous,
    }
    if value.is_empty:
        return
    text = f"outputs  {value.sent} sent" + "".join(f", {count} {name}" for name, count in counts.items() if count)
    yield f"{text}; {value.stopped}" if value.stopped else text
    yield from (f"         {problem}" for problem in value.problems)
