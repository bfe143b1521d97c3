"""What `benchmarks.soak_up` measures, and what it must be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from benchmarks.figures import Figure, figure

WARM_UP = 4
"""Days after which caches and connections are there."""


@dataclass(frozen=True)
class DayFigures:
    """What was in use at the end of a day."""

    memory: float
    """Resident memory in MB."""
    blocks: int
    """Blocks of Python's own memory in use (sys.getallocatedblocks), whatever glibc and SQLite keep beside them."""
    database: float
    """The database in MB."""
    descriptors: int
    threads: int
    rows: dict[str, int]
    """By table."""

    @property
    def all_rows(self) -> int:
        """The rows of all tables."""
        return sum(self.rows.values())


@dataclass
class Outcome:
    """What the days were like."""

    days: list[DayFigures] = field(default_factory=list)
    editions: int = 0
    news: set[str] = field(default_factory=set)
    """Days on which some source had something new. What was read late may also make an edition on the next day."""
    slots: set[str] = field(default_factory=set)
    """Days of which there is an edition."""
    lost: list[str] = field(default_factory=list)
    """Readers with fewer messages than editions; those whose address stopped existing are no readers."""
    twice: list[str] = field(default_factory=list)
    """Messages that arrived again although the first time was answered."""
    ambiguous: int = 0
    unanswered: int = 0
    pages: Counter[int] = field(default_factory=Counter)
    bounces: int = 0
    source_faults: Counter[str] = field(default_factory=Counter)
    mail_faults: Counter[str] = field(default_factory=Counter)

    def rows_a_day(self, first: int, last: int) -> float:
        """Return by how many rows a day the database grew between the ends of two days, counted from one."""
        return (self.days[last - 1].all_rows - self.days[first - 1].all_rows) / (last - first)


def judge(found: Outcome, warm_up: int = WARM_UP) -> list[Figure]:
    """Return the figures and their targets. Those of memory are generous; all others do not depend on the machine."""
    days, warm, last = len(found.days), found.days[warm_up - 1], found.days[-1]
    middle = (warm_up + days) // 2
    early, late = found.rows_a_day(warm_up, middle), found.rows_a_day(middle, days)
    return [
        figure("editions", found.editions, "editions", ">=", len(found.news)),
        figure("days with news and without an edition", len(found.news - found.slots), "days", "<=", 0),
        figure("readers without exactly one email an edition", len(found.lost), "readers", "<=", 0),
        figure("emails twice, and not ambiguous", len(found.twice), "emails", "<=", 0),
        figure("emails without an answer", found.unanswered, "emails", "<=", found.ambiguous),
        figure("pages that failed", sum(n for status, n in found.pages.items() if status >= 400), "pages", "<=", 0),
        figure("bounces read", found.bounces, "bounces", ">=", days - 1),
        figure(
            "failed requests to sources",
            sum(found.source_faults.values()) - found.source_faults["none"],
            "requests",
            ">=",
            days / 3,
        ),
        figure(
            "failed attempts to send",
            sum(found.mail_faults.values()) - found.mail_faults["none"],
            "attempts",
            ">=",
            days,
        ),
        figure("more descriptors since warm-up", last.descriptors - warm.descriptors, "descriptors", "<=", 2),
        figure("more threads since warm-up", last.threads - warm.threads, "threads", "<=", 1),
        figure("rows a day, first half", early, "rows", ">=", 1),
        figure("rows a day, second half", late, "rows", "<=", 1.25 * early),
        figure("Python's blocks since warm-up", last.blocks / warm.blocks, "times", "<=", 1.5),
        figure("database a day", (last.database - warm.database) / (days - warm_up), "MB", "<=", 2),
        figure("resident memory after warm-up", warm.memory, "MB", "<=", 400),
        figure("memory a day since", (last.memory - warm.memory) / (days - warm_up), "MB", "<=", 2),
    ]
