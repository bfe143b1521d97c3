"""Profiles and reading lists: what is stored about a reader's interests, also while they are erased."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY, sighting
from outbox import people
from sqlalchemy import event, func, select

from digestmail.errors import StorageError
from digestmail.model.papers import PaperId
from digestmail.model.personal import KnownPaper, Profile, ReadingListKind
from digestmail.storage import papers, profiles, reading_lists, schema, subscribers
from digestmail.storage.database import Database
from digestmail.subscribers import data_export

HOUR = timedelta(hours=1)
SAID = Profile(interests="proteins", authors=("Ada Example",), blocked_words=("survey",), exploration=0.5)
FIRST, SECOND = KnownPaper(title="First", abstract="About folds."), KnownPaper(title="Second")
ORCID = "0000-0002-1825-0097"


def many(count: int, name: str = "paper") -> list[KnownPaper]:
    return [KnownPaper(title=f"{name} {number}") for number in range(count)]


@pytest.fixture
def reader(database) -> int:
    with database.begin() as connection:
        return people(connection, 3)[0]


def add(database: Database, reader: int | None, known=(), *, kind=ReadingListKind.FILE, name="a.bib", **more) -> int:
    with database.begin() as connection:
        return reading_lists.add(connection, reader, kind, name, known, THURSDAY, **more)


def profile_of(database: Database, reader: int) -> Profile | None:
    with database.connect() as connection:
        return profiles.of(connection, reader)


def rows(database: Database) -> list[int]:
    tables = (schema.profiles, schema.reading_lists, schema.reading_list_papers)
    with database.connect() as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def test_a_profile_is_what_a_reader_said_last_with_the_papers_of_all_lists(database, reader):
    assert profile_of(database, reader) is None
    with database.begin() as connection:
        profiles.store(connection, reader, Profile(interests="before", exploration=0.0), THURSDAY)
        profiles.store(connection, reader, SAID, THURSDAY)
    add(database, reader, [FIRST])
    add(database, reader, [SECOND])
    expected = Profile(
        interests="proteins",
        authors=("Ada Example",),
        blocked_words=("survey",),
        exploration=0.5,
        papers=(FIRST, SECOND),
    )
    assert profile_of(database, reader) == expected
    with database.begin() as connection:
        assert profiles.remove(connection, reader)
        assert not profiles.remove(connection, reader)
    assert profile_of(database, reader) == Profile(papers=(FIRST, SECOND))


def test_a_list_without_papers_is_a_profile_too(database, reader):
    add(database, reader)
    assert profile_of(database, reader) == Profile()


def test_a_paper_of_several_lists_counts_once_and_keeps_its_abstract(database, reader):
    add(database, reader, [KnownPaper(title="first"), SECOND])
    add(database, reader, [FIRST, KnownPaper(title="SECOND")])
    assert profile_of(database, reader) == Profile(papers=(FIRST, SECOND))


def test_the_profiles_of_a_range_of_readers_take_two_queries(database, reader):
    with database.begin() as connection:
        profiles.store(connection, reader, SAID, THURSDAY)
        profiles.store(connection, reader + 2, Profile(interests="outside the range"), THURSDAY)
    for number in range(3):
        add(database, reader + 1, many(2, f"list {number}"))
    add(database, None, [FIRST])
    statements = []
    with database.connect() as connection:
        event.listen(connection, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
        found = profiles.of_each(connection, [reader, reader + 1])
        assert profiles.common_papers(connection) == (FIRST,)
    assert sum(statement.startswith("SELECT") for statement in statements) == 3
    assert found[reader] == SAID
    assert [len(one.papers) for one in found.values()] == [0, 6]
    assert set(found) == {reader, reader + 1}


def test_papers_over_the_limits_are_not_kept(database, reader):
    for number in range(5):
        list_id = add(database, reader, many(501, f"list {number}"))
    with database.connect() as connection:
        assert [one.papers for one in reading_lists.of(connection, reader)] == [500, 500, 500, 500, 0]
    with database.begin() as connection:
        first = reading_lists.of(connection, reader)[0].id
        assert reading_lists.record_reading(connection, first, many(490), THURSDAY)
        assert reading_lists.record_reading(connection, list_id, many(501, "list 4"), THURSDAY)
        assert [one.papers for one in reading_lists.of(connection, reader)] == [490, 500, 500, 500, 10]
    assert len(profile_of(database, reader).papers) == 2_000
    with database.begin() as connection:
        profiles.store(connection, reader, Profile(interests="\0" + "x" * 3_000), THURSDAY)
    add(database, reader + 1, [KnownPaper(title="\ud800" + "t" * 3_000, abstract="\0" + "a" * 3_000)])
    (kept,) = profile_of(database, reader + 1).papers
    assert (len(kept.title), len(kept.abstract), kept.abstract[:2]) == (2_000, 2_000, "\ufffda")


def test_a_list_is_due_when_it_was_not_tried_for_a_while(database, reader):
    kinds = [kind for kind in ReadingListKind if kind is not ReadingListKind.FILE]
    ids = {kind: add(database, reader, kind=kind) for kind in kinds}
    add(database, reader)
    add(database, reader, kind=ReadingListKind.ARXIV_IDS, complete=True)
    later = THURSDAY + 24 * HOUR

    def due(before=THURSDAY, most=10):
        with database.connect() as connection:
            return [one.id for one in reading_lists.due(connection, before, most, now=later)]

    assert due() == list(ids.values())
    assert due(most=2) == list(ids.values())[:2]
    with database.begin() as connection:
        assert reading_lists.record_failure(connection, ids[ReadingListKind.ARXIV_IDS], "HTTP 503", THURSDAY + HOUR)
        assert reading_lists.record_reading(connection, ids[ReadingListKind.ORCID], [FIRST], THURSDAY + HOUR)
    assert due() == [ids[ReadingListKind.ARXIV_AUTHOR], ids[ReadingListKind.ZOTERO]]
    assert due(THURSDAY + HOUR) == [*due(), ids[ReadingListKind.ARXIV_IDS], ids[ReadingListKind.ORCID]]
    with database.begin() as connection:
        assert reading_lists.record_reading(connection, ids[ReadingListKind.ARXIV_IDS], [SECOND], THURSDAY + 2 * HOUR)
    assert ids[ReadingListKind.ARXIV_IDS] not in due(later)


def test_a_failure_keeps_the_papers_and_a_reading_removes_the_problem(database, reader):
    list_id = add(database, reader, [FIRST], kind=ReadingListKind.ORCID, name=ORCID, complete=True)
    with database.begin() as connection:
        reading_lists.record_failure(connection, list_id, "\0HTTP 503", THURSDAY + HOUR)
        (failed,) = reading_lists.of(connection, reader)
        assert (failed.papers, failed.problem) == (1, "\ufffdHTTP 503")
        assert (failed.read_at, failed.tried_at) == (THURSDAY, THURSDAY + HOUR)
        reading_lists.record_reading(connection, list_id, [SECOND], THURSDAY + 2 * HOUR)
        (read,) = reading_lists.of(connection, reader)
        assert (read.read_at, read.tried_at, read.problem) == (THURSDAY + 2 * HOUR, THURSDAY + 2 * HOUR, None)
    assert profile_of(database, reader) == Profile(papers=(SECOND,))


def test_a_reader_removes_only_their_own_lists(database, reader):
    mine, theirs, common = (add(database, owner, [FIRST]) for owner in (reader, reader + 1, None))
    with database.begin() as connection:
        assert not reading_lists.remove(connection, reader, theirs)
        assert not reading_lists.remove(connection, reader, common)
        assert reading_lists.remove(connection, reader, mine)
        assert not reading_lists.remove(connection, reader, mine)
        assert reading_lists.remove_all(connection, reader + 1) == 1
    assert rows(database) == [0, 1, 1]


def test_the_lists_of_the_configuration_follow_it_and_keep_their_papers(database, reader):
    add(database, reader, [FIRST], kind=ReadingListKind.ORCID, name=ORCID)
    zotero, orcid = (ReadingListKind.ZOTERO, "users/123"), (ReadingListKind.ORCID, ORCID)
    with database.begin() as connection:
        first, second = reading_lists.sync_operator_lists(connection, [zotero, orcid, zotero], THURSDAY)
        assert (first.kind, first.reference, second.kind) == (*zotero, ReadingListKind.ORCID)
        reading_lists.record_reading(connection, second.id, [SECOND], THURSDAY)
    with database.begin() as connection:
        (kept,) = reading_lists.sync_operator_lists(connection, [orcid], THURSDAY + HOUR)
        assert (kept.id, kept.papers) == (second.id, 1)
        assert profiles.common_papers(connection) == (SECOND,)
        assert reading_lists.sync_operator_lists(connection, [], THURSDAY) == ()
    assert rows(database) == [0, 1, 1], "the list of a reader stays"


def test_papers_of_a_list_that_are_stored_are_found_by_any_of_their_ids(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1)], THURSDAY)
        (stored,) = papers.list_papers(connection, 1)
        found = reading_lists.stored_papers(connection, [stored.id, PaperId("arxiv:2604.99999")])
    known = KnownPaper(title=stored.title, abstract=stored.abstract)
    assert found == {stored.id: known}
    number = stored.id.removeprefix("arxiv:")
    with database.begin() as connection:
        wanted = [(ReadingListKind.ARXIV_IDS, number), (ReadingListKind.ARXIV_IDS, f"2604.99999 {number}")]
        every, some = reading_lists.sync_operator_lists(connection, wanted, THURSDAY)
        assert (every.papers, every.read_at) == (1, THURSDAY)
        assert (some.papers, some.read_at) == (1, None)
        assert profiles.common_papers(connection) == (known,)
        assert reading_lists.due(connection, THURSDAY, 9, now=THURSDAY) == (some,)


def test_a_reading_that_ends_after_an_erasure_or_a_removal_stores_nothing(database, reader):
    list_id, removed = add(database, reader, [FIRST]), add(database, reader + 1, [FIRST])
    with database.begin() as connection:
        profiles.store(connection, reader, SAID, THURSDAY)
        reading_lists.remove(connection, reader + 1, removed)
    data_export.erase(database, reader, THURSDAY, random_token=lambda: "a key")
    with database.begin() as connection:
        for gone in (list_id, removed):
            assert not reading_lists.record_reading(connection, gone, [SECOND], THURSDAY)
            assert not reading_lists.record_failure(connection, gone, "HTTP 503", THURSDAY)
    assert rows(database) == [0, 0, 0]


def test_an_erasure_waits_for_a_reading_that_is_being_recorded(database, reader):
    """On PostgreSQL, where writers run at the same time; SQLite has one writer."""
    list_id = add(database, reader, [FIRST])
    with database.begin() as connection:
        reading_lists.record_reading(connection, list_id, [SECOND], THURSDAY)
        with pytest.raises(StorageError), database.giving_up_after(0.01).begin() as erasing:
            subscribers.lock(erasing, reader)
