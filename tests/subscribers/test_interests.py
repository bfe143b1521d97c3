"""What readers say about their interests: cleaned, limited, and never stored beside an erasure."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import THURSDAY, paper
from outbox import people
from sqlalchemy import select

from digestmail.errors import StorageError, SubscriptionError
from digestmail.model.papers import PaperId, Sighting
from digestmail.model.personal import KnownPaper, Profile, ReadingListKind
from digestmail.papers.citations.formats import CitationFormat, cite
from digestmail.storage import papers, profiles, reading_lists, schema, subscribers
from digestmail.subscribers import data_export, interests

RIS = b"TY  - JOUR\nTI  - A paper\nER  -\n"
SAID = interests.checked("folding", ["Ada Example"], ["survey"], 0.4)


@pytest.fixture
def reader(database) -> int:
    with database.begin() as connection:
        return people(connection, 1)[0]


def test_what_readers_write_is_cleaned_and_each_name_kept_once():
    said = interests.checked(
        "\x00 Folding\x1b[2J\r\nof proteins ",
        ["", " Ada  Example ", "ADA EXAMPLE", "Ben\x07 Example", "\t"],
        ["C++", "c++", "large language model", "\ud800survey"],
        0.0,
    )
    assert said == Profile(
        interests="Folding[2J\nof proteins",
        authors=("Ada Example", "Ben Example"),
        blocked_words=("C++", "large language model", "survey"),
        exploration=0.0,
    )


def test_everything_that_fits_is_stored_and_read_again(database, reader):
    names = [f"{'Ø' * 80} Example{number}" for number in range(100)]
    said = interests.checked("\U0001f9ea" * 2_000, names, names, 0.4)
    interests.save(database, reader, said, THURSDAY)
    assert interests.find(database, reader).profile == said


def test_readers_who_left_or_were_erased_store_nothing(database, reader):
    data_export.erase(database, reader, THURSDAY, random_token=lambda: "a key")
    for store in (
        lambda: interests.save(database, reader, SAID, THURSDAY),
        lambda: interests.add_file(database, reader, "a.ris", RIS, THURSDAY),
        lambda: interests.add_list(database, reader, ReadingListKind.ZOTERO, "users/1", THURSDAY),
        lambda: interests.find(database, reader),
    ):
        with pytest.raises(SubscriptionError, match="no longer exists"):
            store()
    assert not interests.remove_list(database, reader, 1)
    interests.remove_all(database, reader)


def test_nothing_comes_between_an_erasure_and_its_end(database, reader, monkeypatch):
    """On PostgreSQL, where writers run at the same time; SQLite has one writer."""
    locked = []

    def watch(module, name):
        original = getattr(module, name)

        def watched(*args, **given):
            try:
                with database.giving_up_after(0.01).begin() as connection:
                    mine = select(schema.subscribers.c.id).where(schema.subscribers.c.id == reader)
                    connection.execute(mine.with_for_update(nowait=True))
                locked.append(False)
            except StorageError:
                locked.append(True)
            return original(*args, **given)

        monkeypatch.setattr(module, name, watched)

    watch(profiles, "store")
    watch(reading_lists, "add")
    watch(reading_lists, "remove_all")
    interests.save(database, reader, SAID, THURSDAY)
    interests.add_file(database, reader, "a.ris", RIS, THURSDAY)
    interests.add_list(database, reader, ReadingListKind.ZOTERO, "users/1", THURSDAY)
    interests.remove_all(database, reader)
    assert locked == [True] * 4
    with database.begin() as connection:
        subscribers.lock(connection, reader)


def test_a_file_beyond_the_limit_of_all_lists_says_how_many_papers_were_kept(database, reader):
    content = "".join(f"TY  - JOUR\nTI  - Paper {{}} {number}\nER  -\n" for number in range(500))
    stored = [
        interests.add_file(database, reader, f"{number}.ris", content.format(*[number] * 500).encode(), THURSDAY)
        for number in range(5)
    ]
    assert [(one.papers, one.over) for one in stored] == [(500, 0)] * 4 + [(0, 500)]


@pytest.mark.parametrize(("written", "own"), [(CitationFormat.BIBTEX, ""), (CitationFormat.RIS, "Not stored.")])
def test_our_own_citations_get_the_abstracts_of_the_stored_papers(database, reader, written, own):
    doi = replace(paper(3, title="By DOI", abstract="Found by its DOI."), id=PaperId("doi:10.1000/xyz"), link="")
    mine = [paper(number, title=f"Title {number}", abstract=f"Abstract {number}.") for number in (1, 2)]
    cited = cite([*mine, doi], written)
    unknown = cite([paper(9, title="Never stored", abstract="Not stored.")], written)
    with database.begin() as connection:
        seen = [Sighting(source="hf", paper=one, day=THURSDAY.date()) for one in (*mine, doi)]
        papers.add_sightings(connection, seen, THURSDAY)
    interests.add_file(database, reader, "export", f"{cited}\n{unknown}".encode(), THURSDAY)
    with database.connect() as connection:
        known = profiles.of(connection, reader).papers
    assert known == (
        KnownPaper(title="Title 1", abstract="Abstract 1."),
        KnownPaper(title="Title 2", abstract="Abstract 2."),
        KnownPaper(title="By DOI", abstract="Found by its DOI."),
        KnownPaper(title="Never stored", abstract=own),
    )


def test_an_abstract_of_the_file_is_kept_and_an_id_in_a_field_of_google_scholar_is_found(database, reader):
    with database.begin() as connection:
        seen = [Sighting(source="hf", paper=paper(number), day=THURSDAY.date()) for number in (1, 2)]
        papers.add_sightings(connection, seen, THURSDAY)
    content = (
        "@article{a, title={Own}, abstract={Mine.}, eprint={2604.00001}}\n"
        "@article{b, title={Scholar}, journal={arXiv preprint arXiv:2604.00002}}\n"
        "@article{c, title={Another}, note={A comment on arXiv:2604.00002}, doi={2604.00002 is no DOI}}\n"
    )
    interests.add_file(database, reader, "a.bib", content.encode(), THURSDAY)
    with database.connect() as connection:
        known = profiles.of(connection, reader).papers
    assert [one.abstract for one in known] == ["Mine.", "We study something.", ""]
