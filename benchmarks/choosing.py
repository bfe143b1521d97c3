"""How well papers are picked for readers, on recorded readers and literature screenings, and what a night costs.

The data is in the data directory beside the project; where it is missing, nothing is measured.

"screening" simulates readers with one narrow interest. The papers of a literature screening arrive in random order on
30 days. Each day the reader is shown a tenth of them, as ranked; they like what the screening included, and dislike the
rest. They begin with one paper that they like. The figure is the share of included papers that they were shown, the
mean of five random orders and then of all screenings; a random ranking reaches 0.10.

"expertise loss" uses researchers who graded papers by how well they know the subject. Each is known by their own papers
only. Every pair of papers with different grades that is in the wrong order costs the difference of the grades, and half
of it if both are equally close; the sum is divided by that of all differences. A random ranking reaches 0.5.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.figures import Figure, figure, tell
from digestmail.model.papers import Origin, Paper, PaperId
from digestmail.model.personal import KnownPaper, Opinion, Profile, Taste
from digestmail.selection.closeness import Closeness, Scores

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "choosing"
SEEDS, DAYS, SHARE = 5, 30, 10
START = datetime(2026, 4, 1, tzinfo=UTC)


class Screening:
    """One literature screening, and the reader that it stands for."""

    def __init__(self, rows: Sequence[Any]) -> None:
        """Read the papers `rows`."""
        known = {row_id: _known(row) for row_id, row in enumerate(rows)}
        self._wanted = [bool(row["wanted"]) for row in rows]
        # Ranking all papers at once gives each day's papers the same order as ranking them alone.
        self._closeness = Closeness(list(map(_paper, rows)), known, START + timedelta(days=DAYS), ())

    def share_shown(self, seed: int) -> float:
        """Return the share of the wanted papers that the reader was shown."""
        chance = random.Random(seed)
        order = list(range(len(self._wanted)))
        chance.shuffle(order)
        first = chance.choice([place for place in order if self._wanted[place]])
        order.remove(first)
        opinions = [Opinion(row_id=first, liked=True, given_at=START)]
        for day, arrived in enumerate(_parts(order, DAYS), start=1):
            closeness = self._rank(opinions)
            shown = sorted(arrived, key=lambda place: -closeness[place])[: max(1, round(len(arrived) / SHARE))]
            at = START + timedelta(days=day)
            opinions += [Opinion(row_id=place, liked=self._wanted[place], given_at=at) for place in shown]
        return (sum(one.liked for one in opinions) - 1) / (sum(self._wanted) - 1)

    def _rank(self, opinions: Sequence[Opinion]) -> Scores:
        return self._closeness.judge(Taste(opinions=tuple(opinions))).closeness


def expertise_loss(readers: Sequence[Any]) -> float:
    """Return the expertise loss over all readers."""
    rated = [row for reader in readers for row in reader["rated"]]
    own = [_known(row) for reader in readers for row in reader["own"]]
    closeness = Closeness(list(map(_paper, rated)), {}, START, own)
    lost = total = 0.0
    start = 0
    for reader in readers:
        profile = Profile(papers=tuple(map(_known, reader["own"])))
        values = closeness.judge(Taste(profile=profile)).closeness[start : start + len(reader["rated"])]
        start += len(reader["rated"])
        grades = [row["expertise"] for row in reader["rated"]]
        for one, other in combinations(range(len(grades)), 2):
            difference = abs(grades[one] - grades[other])
            agreement = (grades[one] - grades[other]) * (values[one] - values[other])
            total += difference
            lost += difference if agreement < 0 else difference / 2 if agreement == 0 else 0
    return lost / total


def _parts(order: Sequence[int], number: int) -> Iterator[Sequence[int]]:
    """Yield `order` in `number` parts. The first ones are longer by one if it cannot be divided."""
    size, longer = divmod(len(order), number)
    start = 0
    for part in range(number):
        end = start + size + (part < longer)
        yield order[start:end]
        start = end


def _known(row: Any) -> KnownPaper:
    return KnownPaper(title=row["title"] or "", abstract=row["abstract"] or "")


def _paper(row: Any) -> Paper:
    name = PaperId(f"url:{row['title']}")
    return Paper(id=name, title=row["title"] or "", abstract=row["abstract"] or "", origin=Origin.FEED, link="")


def _rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def screening() -> Iterator[Figure]:
    """Yield the share shown for each screening, and the mean."""
    shares = []
    for path in sorted((DATA / "screening").glob("*.gz")):
        one = Screening(_rows(path))
        shares.append(fmean(one.share_shown(seed) for seed in range(SEEDS)))
        yield figure(f"screening, {path.name.split('.')[0]}", shares[-1], "share", ">=", 0)
    yield figure("screening, mean", fmean(shares), "share", ">=", 0.42)


def main() -> None:
    """Measure and print."""
    if not DATA.is_dir():
        sys.stderr.write(f"nothing was measured: {DATA.name} is not beside the project\n")
        return
    loss = expertise_loss(_rows(DATA / "readers.jsonl.gz"))
    tell([*screening(), figure("expertise loss", loss, "loss", "<=", 0.245)])


if __name__ == "__main__":
    main()
