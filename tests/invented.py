"""Many invented papers about a few subjects, for tests of what is learned from papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from random import Random

from fakes import paper

from digestmail.model.papers import Paper, Sighting, Signals

SUBJECTS: Mapping[str, Sequence[str]] = {
    "soup": ("tomato broth", "simmering", "stock cubes", "ladle", "seasoning", "vegetable", "noodles", "slow cooking"),
    "bridges": ("suspension bridge", "girder", "traffic load", "corrosion", "pylon", "steel cable", "span", "river"),
    "bees": ("honey bees", "hive", "pollination", "queen", "nectar", "waggle dance", "colony", "swarm"),
    "clocks": ("pendulum clock", "escapement", "gear train", "mainspring", "tick", "dial", "striking", "winding"),
}
_COMMON = ("results", "measure", "compare", "method", "observe", "question", "sample", "report", "study", "describe")
_TITLES = ("On {0} and {1}", "{0} without {1}", "Why {0} needs {1}", "{0} for {1}", "A note about {0} and {1}")


def about(subject: str, number: int, random: Random) -> Paper:
    """Make a paper about one of `SUBJECTS`."""
    words = random.sample(list(SUBJECTS[subject]), 5)
    sentences = []
    for first, second in pairwise(words):
        one, other, what = random.sample(_COMMON, 3)
        sentences.append(f"We {one} the {first} and the {second}, and {other} a {what}.")
    title = random.choice(_TITLES).format(*words)
    return paper(number, title=f"{title[:1].upper()}{title[1:]} ({number})", abstract=" ".join(sentences))


def papers_about(count: int, *, seed: int = 1) -> list[Paper]:
    """Make `count` papers, about each subject in turn."""
    random = Random(seed)
    subjects = list(SUBJECTS)
    return [about(subjects[number % len(subjects)], number, random) for number in range(count)]


def sightings_of(papers: Sequence[Paper], day: date, source: str = "hf") -> list[Sighting]:
    """Return a sighting of each paper."""
    return [Sighting(source=source, paper=one, day=day, signals=Signals(upvotes=1)) for one in papers]
