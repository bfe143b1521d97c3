"""What `digestmail papers show` shows."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from digestmail.cli import printing
from digestmail.editions import archive
from digestmail.errors import DigestmailError
from digestmail.model.archive import PaperRecord
from digestmail.schedule.times import written

if TYPE_CHECKING:
    from digestmail.app import App


def view(app: App, ref: str) -> PaperRecord:
    """Return all that is known of the paper `ref`. Raises DigestmailError."""
    found = archive.paper_record(app.database, archive.resolve_paper(app.database, ref).id)
    if found is None:  # deleted meanwhile
        raise DigestmailError(f"there is no paper {ref!r}")
    return found


def show(found: PaperRecord, zone: str) -> None:
    """Print it, with times in the IANA time zone `zone`."""
    paper = found.paper
    facts = [
        ("id", " ".join([paper.id, *paper.aliases])),
        ("authors", ", ".join(paper.authors)),
        ("categories", " ".join(paper.categories)),
        ("link", paper.link),
        ("discussion", paper.discussion_url),
        ("code", paper.code_url),
        ("withdrawn", "yes" if paper.withdrawn else None),
    ]
    sys.stdout.write(f"{paper.title}\n\n")
    printing.table([(name, value) for name, value in facts if value])
    if paper.abstract:
        sys.stdout.write("\n" + textwrap.fill(paper.abstract, 100) + "\n")
    sys.stdout.write("\nseen\n")
    for row in found.sightings:
        counts = [
            f"{count} {name}"
            for name, count in (
                ("upvotes", row.signals.upvotes),
                ("comments", row.signals.comments),
                ("stars", row.signals.stars),
            )
            if count is not None
        ]
        sys.stdout.write(f"  {written(row.seen_at, zone)}  {row.source}  {', '.join(counts)}".rstrip() + "\n")
    for digest, slot in found.editions:
        sys.stdout.write(f"published in {digest} {slot}\n")
