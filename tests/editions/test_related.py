"""Related papers on both databases: found by the index, within a time, never the paper itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from random import Random

import pytest
from corpus import abstract
from fakes import THURSDAY, paper

from digestmail.editions.related import related
from digestmail.model.papers import PaperId, Sighting, Signals
from digestmail.storage import paper_embeddings, papers

FIELDS = ("optics", "law")


def never_late() -> float:
    return 0.0


@pytest.fixture
def stored(database):
    """Ten papers of each of two fields, by number: even ones are about optics."""
    made = {
        number: paper(number, title=f"Study {number}", abstract=abstract(FIELDS[number % 2], Random(number)))
        for number in range(20)
    }
    add(database, *made.values())
    return made


def add(database, *found) -> None:
    with database.begin() as connection:
        seen = [Sighting(source="hf", paper=one, day=THURSDAY.date(), signals=Signals()) for one in found]
        papers.add_sightings(connection, seen, THURSDAY)


def numbers(found) -> list[int]:
    return [int(one.title.split()[-1]) for one in found]


def test_related_papers_are_of_the_same_field_and_not_the_paper_itself(database, stored):
    for number in (0, 1):
        found = numbers(related(database, stored[number], never_late))
        assert len(found) == 5
        assert {one % 2 for one in found} == {number}
        assert number not in found


def test_a_withdrawn_paper_or_one_without_abstract_is_not_related(database, stored):
    twin = stored[0]
    add(database, replace(twin, id=PaperId("x:1"), title="Study 90", link="https://x.example/1", withdrawn=True))
    add(database, replace(twin, id=PaperId("x:2"), title="Study 91", link="https://x.example/2", abstract=""))
    assert not {90, 91} & set(numbers(related(database, stored[0], never_late)))


def test_a_paper_without_abstract_or_unknown_has_none(database, stored):
    bare = replace(stored[0], id=PaperId("x:3"), link="https://x.example/3", abstract="")
    add(database, bare)
    assert related(database, bare, never_late) == ()
    assert related(database, paper(777), never_late) == ()


def test_a_slow_search_ends_in_time(database, stored):
    clock = count(step=10)
    assert related(database, stored[0], lambda: next(clock)) == ()


def test_embeddings_count_where_papers_have_them(database, stored):
    with database.begin() as connection:
        rows = papers.row_ids(connection, [one.id for one in stored.values()])
        near = {stored[number].id for number in (0, 18)}
        vectors = [(row, b"\x00\x3c\x00\x00" if one in near else b"\x00\x00\x00\x3c") for one, row in rows.items()]
        paper_embeddings.store(connection, "a-model", vectors)
    assert numbers(related(database, stored[0], never_late))[0] == 18
