"""What `digestmail check` says about when editions are published: those that wait, and slots that were missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from digestmail.config.sources import ArxivApiTable, ArxivFeedTable
from digestmail.editions.gate import closed_gates
from digestmail.editions.missed import missed_lately
from digestmail.model.digests import Digest
from digestmail.schedule.arxiv_calendar import feed_day, published_calendar
from digestmail.text.counts import counted

if TYPE_CHECKING:
    from digestmail.app import App


def problems(app: App) -> Iterator[str]:
    """Yield digests that waited for their sources and were not published, because no run came in time."""
    for digest, slots in _missed(app):
        if digest.wait.sources:
            yield (
                f"digest {digest.name} was not published for {slots}: it may wait for "
                f"{', '.join(name for name, _ in digest.wait.sources)}, but no run came before the slot was closed; "
                "call `digestmail run` every hour, or `digestmail run --wait` once a day, or start `digestmail up`"
            )


def notes(app: App, editions: Sequence[Digest]) -> Iterator[str]:
    """Yield what `editions`, digests and variants, wait for, slots that were missed, and an outdated calendar."""
    yield from closed_gates(app.database, editions, app.clock.now())
    for digest, slots in _missed(app):
        if not digest.wait.sources:
            yield f"digest {digest.name} was not published for {slots}: digestmail did not run in time"
    known = published_calendar().complete_until
    reads_arxiv = any(isinstance(table, ArxivFeedTable | ArxivApiTable) for table in app.config.sources)
    if reads_arxiv and feed_day(app.clock.now()) > known:
        yield (
            f"arXiv's deferred announcements are known until {known}: on later holidays digests may wait in vain; a "
            "newer version of digestmail has a newer list"
        )


def _missed(app: App) -> Iterator[tuple[Digest, str]]:
    """Yield the digests that missed slots directly before the current one, and these."""
    for digest in app.digests:
        if slots := missed_lately(app.database, digest, app.clock.now(), app.horizon()):
            since = f"{counted(len(slots), 'slot')} since {slots[0].key}" if len(slots) > 1 else slots[0].key
            yield digest, since
