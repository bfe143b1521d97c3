"""The section "For you": what publishing stores for each reader, and what becomes of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

import pytest
from corpus import FIELDS, abstract
from fakes import AGENTS, THURSDAY, FakeSource, digest, paper, reading, render, sighting
from outbox import claim_deliveries
from sqlalchemy import Connection, event, func, select, update

from digestmail.collect.collector import collect
from digestmail.delivery.edition_composer import EditionComposer
from digestmail.editions.compose import compose_next
from digestmail.editions.entitlement import entitlement_of
from digestmail.editions.publish import publish
from digestmail.editions.requeue import requeue
from digestmail.errors import RenderError, SubscriptionError
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import Digest, Limits, OnEmpty, Topic
from digestmail.model.personal import PickKind, Profile
from digestmail.model.selection import PersonalSection, Section
from digestmail.model.subscribers import Subscription
from digestmail.storage import editions, feedback, papers, subscribers
from digestmail.storage import schema as tables
from digestmail.storage.database import Database
from digestmail.subscribers import data_export
from digestmail.subscribers import feedback as answers

DAY = timedelta(days=1)
LASERS = Topic(name="Lasers", keywords=("laser",))
DAILY = digest(topics=(AGENTS,), also_trending=True, window_days=3, for_you=3)
SENDER = Sender(mailbox="Digest <digest@example.org>", domain="example.org", base_url="https://example.org")


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


@pytest.fixture
def world(database) -> Readers:
    """Two readers of a digest that shows five papers; one of them liked a paper about optics the day before."""
    world = Readers(database)
    world.add("ada")
    world.add("ben")
    world.see({900: "optics", 901: "law"}, THURSDAY - DAY)
    world.rate("ada", 900)
    world.see(mixed(0, 24))
    return world


def test_a_liked_paper_gives_the_next_edition_a_section_that_says_why(world):
    small = replace(DAILY, limits=Limits(max_papers=5))
    (report,) = world.publish(small)
    assert (report.recipients, report.personal, report.nothing_for) == (2, 1, 0)
    (section, *rest) = world.email("ada", small)
    assert isinstance(section, PersonalSection)
    assert len(numbers_of(section)) == 3
    liked = [number for number, why in zip(numbers_of(section), section.reasons, strict=True) if why.title]
    assert len(liked) >= 2
    assert of_field(liked, "optics", mixed(0, 24))
    assert {why.title for why in section.reasons if why.kind is PickKind.LIKED} == {"Paper 900"}
    assert len(picked((section,))) + len(others(tuple(rest))) == 5, "the limit holds for the email"
    assert not set(numbers_of(section)) & set(others(tuple(rest)))
    assert others(world.email("ben", small)) == [*sorted(numbers_of_edition(world, small))][:5]
    assert picked(world.email("ben", small)) == []


def numbers_of_edition(world: Readers, of: Digest, slot: str = "2026-04-02") -> list[int]:
    with world.database.connect() as connection:
        return [
            int(entry.paper.id.rpartition(".")[2])
            for entry in editions.get(connection, of.name, slot).edition.entries
        ]


def test_erasing_the_feedback_removes_the_section_from_the_next_edition(world):
    world.publish()
    assert picked(world.email("ada"))
    answers.remove(world.database, world.ids["ada"], paper(900).id)
    world.see(mixed(100, 12), THURSDAY + DAY)
    world.publish(now=THURSDAY + DAY)
    sections = world.email("ada", slot="2026-04-03")
    assert sections
    assert picked(sections) == []
