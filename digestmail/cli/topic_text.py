"""What `digestmail topics` shows."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from digestmail.cli import printing
from digestmail.config.source_tables import quoted
from digestmail.editions.topic_report import BORDERLINE, TopicBasis, TopicPaper, TopicRow, TopicTest
from digestmail.editions.topic_suggestions import TopicSuggestions
from digestmail.text.counts import counted


def show_rows(rows: Sequence[TopicRow], days: int) -> None:
    """Print all topics as a table."""
    if not rows:
        sys.stdout.write("no topics are configured; `digestmail topics suggest` proposes some\n")
        return
    header = ("topic", "digest", f"papers in {days} days", "judged by")
    printing.table([header, *((row.topic, row.digest or "-", _share(row), _basis(row.basis)) for row in rows)])


def _share(row: TopicRow) -> str:
    return "-" if row.digest is None else f"{row.admitted} of {row.papers}"


def _basis(basis: TopicBasis) -> str:
    if basis.learned:
        return f"learned from {basis.papers:,} papers on {basis.learned_on}"
    on = f" (on {basis.learned_on})" if basis.learned_on else ""
    return f"words only: {basis.why_not}{on}"


def show_test(result: TopicTest, days: int) -> None:
    """Print what a topic admits: strongest first, then what it nearly admits, then what is excluded."""
    border = sum(paper.borderline for paper in result.admitted)
    of = f"{len(result.admitted)} of {counted(result.papers, 'paper')}"
    sys.stdout.write(f"{result.topic}: admits {of} of the last {counted(days, 'day')} ({', '.join(result.sources)})\n")
    sys.stdout.write(f"{_basis(result.basis)}\n")
    sys.stdout.write(f"digests that use it: {', '.join(result.digests) or 'none'}\n")
    least = f"{result.min_strength:g}"
    sys.stdout.write(f"~ marks {counted(border + len(result.nearly), 'borderline paper')}: strength within ")
    sys.stdout.write(f"{BORDERLINE:g} of min_strength {least}, {border} above and {len(result.nearly)} below\n")
    _show_papers("Admitted", result.admitted)
    _show_papers(f"Not admitted, just below {least}", result.nearly)
    _show_papers("Excluded", result.excluded)


def _show_papers(title: str, papers: Sequence[TopicPaper]) -> None:
    if not papers:
        return
    sys.stdout.write(f"\n{title} ({len(papers)})\n")
    for paper in papers:
        mark = "~" if paper.borderline else " "
        sys.stdout.write(
            f" {mark} {paper.strength:.2f}  {paper.paper_id}  {paper.day}  {printing.title(paper.title)}\n"
        )
        sys.stdout.write(f"         {paper.reason}\n")


def show_suggestions(found: TopicSuggestions, days: int) -> None:
    """Print suggested topics as TOML, which is in UTF-8."""
    printing.write_utf8()
    sys.stdout.write(
        f"# Suggested from {found.papers:,} papers of the last {counted(days, 'day')} ({', '.join(found.sources)}).\n"
        "# Rename them as you like, and add the names to `topics` of a digest.\n"
    )
    if not found.topics:
        sys.stdout.write("# No group of papers has words of its own.\n")
    for topic in found.topics:
        sys.stdout.write(f"\n# {topic.papers} papers, for example:\n")
        for title in topic.examples:
            sys.stdout.write(f"#   {_in_comment(printing.title(title))}\n")
        keywords = ", ".join(map(quoted, topic.keywords))
        sys.stdout.write(f"[[topics]]\nname = {quoted(topic.name)}\nkeywords = [{keywords}]\n")


def _in_comment(text: str) -> str:
    """Return a text on one line and without the control characters that TOML does not allow in comments."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
