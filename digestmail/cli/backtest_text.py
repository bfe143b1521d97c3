"""What `digestmail backtest` shows in the terminal."""

from __future__ import annotations

import sys

from digestmail.cli import printing
from digestmail.editions.backtest import Backtest
from digestmail.editions.comparison import ComparedPaper, DigestComparison, SlotComparison
from digestmail.text.counts import counted

NO_TOPIC = "(no topic)"


def show(result: Backtest, candidate: str) -> None:
    """Print the comparison: for each digest the slots, then the totals."""
    sys.stdout.write(
        f"{result.since:%Y-%m-%d} to {result.until:%Y-%m-%d}, as readers of all topics get it; "
        f"old: the present configuration, new: {candidate}\n"
    )
    for name in result.only_old:
        sys.stdout.write(f"digest {name} is only in the present configuration: not compared\n")
    for name in result.only_new:
        sys.stdout.write(f"digest {name} is only in {candidate}: not compared\n")
    for note in result.notes:
        sys.stdout.write(f"note: {note}\n")
    if not result.digests:
        sys.stdout.write("no digest has the same name in both configurations: nothing was compared\n")
    for digest in result.digests:
        _show_digest(digest)


def _show_digest(digest: DigestComparison) -> None:
    if not digest.slots:
        sys.stdout.write(f"\n{digest.digest}: neither configuration has a slot in this period\n")
        return
    for slot in digest.slots:
        _show_slot(digest.digest, slot)
    sys.stdout.write(
        f"\n{digest.digest}, in total: {counted(digest.old_editions, 'edition')} old, {digest.new_editions} new; "
        f"papers: {_shares(digest.both, digest.only_old, digest.only_new)}\n"
    )
    rows = [(count.topic or NO_TOPIC, count.old, count.new, _change(count.new - count.old)) for count in digest.topics]
    if rows:
        printing.table([("  topic", "old", "new", ""), *((f"  {name}", *numbers) for name, *numbers in rows)])


def _show_slot(digest: str, slot: SlotComparison) -> None:
    shares = _shares(len(slot.both), len(slot.only_old), len(slot.only_new))
    sys.stdout.write(f"\n{digest} {slot.slot}: {shares}\n")
    moved = ", ".join(
        f"{count.topic or NO_TOPIC} {count.old} -> {count.new}" for count in slot.topics if count.old != count.new
    )
    if moved:
        sys.stdout.write(f"  {moved}\n")
    for mark, papers in (("-", slot.only_old), ("+", slot.only_new)):
        for paper in papers:
            sys.stdout.write(f"  {mark} {paper.paper_id}  {printing.title(paper.title)}  [{_place(paper)}]\n")


def _place(paper: ComparedPaper) -> str:
    topic = paper.old_topic or paper.new_topic or "no topic"
    return f"{topic}; the other one sends it in {paper.other_slot}" if paper.other_slot else topic


def _shares(both: int, only_old: int, only_new: int) -> str:
    return f"{both} in both, {only_old} only old, {only_new} only new"


def _change(change: int) -> str:
    return f"{change:+d}" if change else "="
