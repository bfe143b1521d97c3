"""A database, its readers, and days on which papers of four fields come, to see what is picked for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from corpus import FIELDS, abstract
from fakes import AGENTS, THURSDAY, FakeSource, digest, paper, reading, render, sighting

from digestmail.collect.collector import collect
from digestmail.editions.entitlement import entitlement_of
from digestmail.editions.publish import publish
from digestmail.model.digests import Digest, Topic
from digestmail.model.personal import Profile
from digestmail.model.selection import PersonalSection, Section
from digestmail.model.subscribers import Subscription
from digestmail.storage import editions, feedback, papers, subscribers
from digestmail.storage.database import Database

DAY = timedelta(days=1)
LASERS = Topic(name="Lasers", keywords=("laser",))
DAILY = digest(topics=(AGENTS,), also_trending=True, window_days=3, for_you=3)
CALM = replace(DAILY, profile=Profile(exploration=0.0))
"""Which papers come from outside the known interests depends on the number of the subscriber."""


class Readers:
    """A database, its readers and the days they live through. Papers are numbered; each is of one field."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ids: dict[str, int] = {}

    def add(self, name: str, *digests: str, topics: tuple[str, ...] = ()) -> int:
        with self.database.begin() as connection:
            self.ids[name] = subscribers.add(connection, f"{name}@example.org", THURSDAY - DAY)
            for one in digests or ("daily",):
                wish = Subscription(digest=one, topics=topics)
                subscribers.subscribe(connection, self.ids[name], wish, THURSDAY - DAY)
        return self.ids[name]

    def see(self, numbers: dict[int, str], now: datetime = THURSDAY) -> None:
        """Let a source show papers, each of a field."""
        seen = [
            sighting(number, day=now.date(), upvotes=100 - number % 100, abstract=abstract(field, Random(number)))
            for number, field in numbers.items()
        ]
        collect(self.database, [FakeSource("hf", reading(*seen))], now - timedelta(hours=1))

    def rate(self, name: str, number: int, *, liked: bool = True, now: datetime = THURSDAY) -> None:
        with self.database.begin() as connection:
            row_id = papers.row_ids(connection, [paper(number).id])[paper(number).id]
            feedback.store(connection, self.ids[name], row_id, now, liked=liked)

    def publish(self, *digests: Digest, now: datetime = THURSDAY):
        return publish(self.database, digests or (DAILY,), render, now).digests

    def email(self, name: str, of: Digest = DAILY, slot: str = "2026-04-02") -> tuple[Section, ...] | None:
        """Return the sections of a reader's email as stored; None if there is none."""
        with self.database.connect() as connection:
            stored = editions.get(connection, of.name, slot)
            reader = subscribers.get(connection, self.ids[name])
            got = entitlement_of(connection, of, stored.edition, reader)
            return got.sections if got.delivered else None


def numbers_of(section: Section) -> list[int]:
    return [int(entry.paper.id.rpartition(".")[2]) for entry in section.entries]


def picked(sections: tuple[Section, ...] | None) -> list[int]:
    return [one for section in sections or () if isinstance(section, PersonalSection) for one in numbers_of(section)]


def others(sections: tuple[Section, ...] | None) -> list[int]:
    found = (section for section in sections or () if not isinstance(section, PersonalSection))
    return [one for section in found for one in numbers_of(section)]


def mixed(first: int, count: int) -> dict[int, str]:
    """Return papers from number `first` on, of the four fields in turn."""
    return {first + at: list(FIELDS)[at % len(FIELDS)] for at in range(count)}


def of_field(numbers: list[int], field: str, papers_: dict[int, str]) -> bool:
    return all(papers_[number] == field for number in numbers)
