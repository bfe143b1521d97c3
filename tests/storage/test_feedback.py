"""Feedback on papers: one answer for each subscriber and paper, also after papers are merged and people are erased."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import THURSDAY, paper, sighting
from outbox import edition, people, publish
from sqlalchemy import Table, func, select

from digestmail.errors import StorageError, SubscriptionError
from digestmail.model.papers import Origin, Paper, PaperId, Sighting
from digestmail.model.subscribers import Feedback
from digestmail.storage import feedback as stored
from digestmail.storage import papers, schema, subscribers
from digestmail.storage.database import Database
from digestmail.subscribers import data_export, feedback
from digestmail.subscribers.feedback import PaperInEdition

HOUR = timedelta(hours=1)
PREPRINT = paper(1)
JOURNAL = Paper(id=PaperId("doi:10.1000/x"), title="By DOI", origin=Origin.FEED, link="https://doi.org/10.1000/x")
FIRST = PaperInEdition(digest="daily", slot="2026-04-02", position=1)
SECOND = replace(FIRST, position=2)


def seen(found: Paper, source: str = "feed") -> Sighting:
    return Sighting(source=source, paper=found, day=THURSDAY.date())


@pytest.fixture
def reader(database) -> int:
    """An edition with two papers was sent to this reader, and to another."""
    with database.begin() as connection:
        papers.add_sightings(connection, [seen(JOURNAL), seen(PREPRINT, "hf")], THURSDAY)
        one, other = people(connection, 2)
        publish(connection, edition(JOURNAL, PREPRINT), [one, other])
    return one


def merge(database: Database) -> None:
    """A source says that both papers are the same work."""
    with database.begin() as connection:
        both = replace(PREPRINT, aliases=(JOURNAL.id,))
        assert papers.add_sightings(connection, [seen(both, "arxiv")], THURSDAY).merged == 1


def answers(database: Database, subscriber_id: int) -> list[tuple[str, bool]]:
    with database.connect() as connection:
        return [(one.paper_id, one.liked) for one in stored.of(connection, subscriber_id)]


def rows(database: Database) -> int:
    with database.connect() as connection:
        return connection.execute(select(func.count()).select_from(schema.feedback)).scalar_one()


def test_the_last_answer_about_a_paper_counts(database, reader):
    assert feedback.find(database, reader, FIRST).liked is None
    for hours, liked in enumerate((True, False, False, True)):
        assert feedback.give(database, reader, FIRST, THURSDAY + hours * HOUR, liked=liked).liked is liked
        assert feedback.find(database, reader, FIRST).liked is liked
    feedback.give(database, reader + 1, FIRST, THURSDAY, liked=False)
    with database.connect() as connection:
        kept = Feedback(paper_id=JOURNAL.id, title="By DOI", liked=True, given_at=THURSDAY + 3 * HOUR)
        assert stored.of(connection, reader) == (kept,)
    assert rows(database) == 2


def test_a_later_answer_counts_though_the_clock_was_ahead_before(database, reader):
    feedback.give(database, reader, FIRST, THURSDAY + 1000 * HOUR, liked=True)
    feedback.give(database, reader, FIRST, THURSDAY, liked=False)
    assert answers(database, reader) == [(JOURNAL.id, False)]


def test_removing_an_answer_leaves_no_row(database, reader):
    for remove in (
        lambda: feedback.give(database, reader, FIRST, THURSDAY, liked=None),
        lambda: feedback.remove(database, reader, JOURNAL.id),
    ):
        feedback.give(database, reader, FIRST, THURSDAY, liked=True)
        feedback.give(database, reader + 1, FIRST, THURSDAY, liked=True)
        remove()
        remove()
        assert answers(database, reader) == []
        assert rows(database) == 1, "another reader's answer stays"
    assert not feedback.remove(database, reader, PaperId("arxiv:2604.99999"))


@pytest.mark.parametrize(
    "named",
    [
        replace(FIRST, position=0),
        replace(FIRST, position=3),
        replace(FIRST, slot="2026-04-03"),
        replace(FIRST, digest="weekly"),
        replace(FIRST, digest=""),
    ],
    ids=["before", "behind", "slot", "digest", "notice"],
)
def test_a_paper_that_is_not_in_the_edition_is_refused(database, reader, named):
    with pytest.raises(SubscriptionError, match="no such paper"):
        feedback.find(database, reader, named)
    with pytest.raises(SubscriptionError, match="no such paper"):
        feedback.give(database, reader, named, THURSDAY, liked=True)
    assert rows(database) == 0


@pytest.mark.parametrize("first_is_later", [True, False])
def test_the_later_of_two_answers_stays_when_their_papers_are_merged(database, reader, first_is_later):
    later, earlier = (FIRST, SECOND) if first_is_later else (SECOND, FIRST)
    feedback.give(database, reader, later, THURSDAY + HOUR, liked=False)
    feedback.give(database, reader, earlier, THURSDAY, liked=True)
    merge(database)
    assert answers(database, reader) == [(PREPRINT.id, False)]
    with database.connect() as connection:
        (kept,) = stored.of(connection, reader)
    assert kept.given_at == THURSDAY + HOUR


@pytest.mark.parametrize("named", [FIRST, SECOND], ids=["stays", "is merged"])
def test_an_answer_about_one_of_two_merged_papers_is_about_both(database, reader, named):
    feedback.give(database, reader, named, THURSDAY, liked=True)
    merge(database)
    for link in (FIRST, SECOND):
        found = feedback.find(database, reader, link)
        assert (found.paper.id, found.liked) == (PREPRINT.id, True)
    feedback.give(database, reader, SECOND, THURSDAY, liked=False)
    assert answers(database, reader) == [(PREPRINT.id, False)]
    assert feedback.remove(database, reader, JOURNAL.id), "the former id still names the paper"
    assert rows(database) == 0


def test_an_answer_that_comes_while_papers_are_merged_goes_to_the_paper_that_stays(database, reader):
    """The page looked the paper up before the merge, and stores the answer after it."""
    with database.connect() as connection:
        row = papers.row_ids(connection, [PREPRINT.id])[PREPRINT.id]
    merge(database)
    with database.begin() as connection:
        stored.store(connection, reader, row, THURSDAY, liked=True)
    assert answers(database, reader) == [(PREPRINT.id, True)]
    with database.begin() as connection:
        assert stored.remove(connection, reader, row)
    assert rows(database) == 0


def test_the_export_lists_feedback_and_erasing_deletes_it(database, reader):
    feedback.give(database, reader, FIRST, THURSDAY, liked=True)
    feedback.give(database, reader, SECOND, THURSDAY + HOUR, liked=False)
    feedback.give(database, reader + 1, FIRST, THURSDAY, liked=True)
    exported = data_export.export(database, reader).feedback
    assert [(one.title, one.liked, one.given_at) for one in exported] == [
        ("Paper 1", False, THURSDAY + HOUR),
        ("By DOI", True, THURSDAY),
    ]
    erased = data_export.erase(database, reader, THURSDAY, random_token=lambda: "a key")
    assert not erased.removed, "deliveries keep an anonymous row, which must not have feedback"
    assert rows(database) == 1
    with pytest.raises(SubscriptionError, match="no longer exists"):
        feedback.give(database, reader, FIRST, THURSDAY, liked=True)
    assert rows(database) == 1


def test_a_person_without_deliveries_is_erased_with_their_feedback(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1)], THURSDAY)
        one, other = people(connection, 2)
        publish(connection, edition(paper(1)), [other])
    feedback.give(database, one, FIRST, THURSDAY, liked=True)
    assert data_export.erase(database, one, THURSDAY, random_token=lambda: "a key").removed
    assert rows(database) == 0


def test_people_who_left_give_no_feedback_and_can_remove_what_they_gave(database, reader):
    feedback.give(database, reader, FIRST, THURSDAY, liked=True)
    with database.begin() as connection:
        subscribers.leave(connection, reader, "daily", THURSDAY)
    with pytest.raises(SubscriptionError, match="not subscribed"):
        feedback.give(database, reader, FIRST, THURSDAY, liked=False)
    assert answers(database, reader) == [(JOURNAL.id, True)]
    assert feedback.remove(database, reader, JOURNAL.id)
    assert rows(database) == 0


def is_locked(database: Database, table: Table, row_id: int) -> bool:
    """Return whether another transaction holds a lock that keeps others from changing this row."""
    try:
        with database.begin() as connection:
            connection.execute(select(table.c.id).where(table.c.id == row_id).with_for_update(nowait=True))
    except StorageError:
        return True
    return False


def test_no_answer_comes_between_an_erasure_or_a_merge_and_its_end(database, reader, monkeypatch):
    """On PostgreSQL, where writers run at the same time; SQLite has one writer."""
    if database.dialect != "postgresql":
        with database.begin() as connection, pytest.raises(StorageError), database.giving_up_after(0).begin():
            subscribers.lock(connection, reader)
        return
    with database.connect() as connection:
        found = papers.row_ids(connection, [JOURNAL.id, PREPRINT.id])
    for table, row in ((schema.subscribers, reader), (schema.papers, found[JOURNAL.id])):
        assert not is_locked(database, table, row)
    store, seen_locks = stored.store, []

    def watched(*args, **answer):
        store(*args, **answer)
        seen_locks.extend(
            is_locked(database, table, row)
            for table, row in ((schema.subscribers, reader), (schema.papers, found[JOURNAL.id]))
        )

    monkeypatch.setattr(stored, "store", watched)
    feedback.give(database, reader, FIRST, THURSDAY, liked=True)
    assert seen_locks == [True, True], "an erasure and a merge wait for the answer"
    with database.begin() as connection:
        both = replace(PREPRINT, aliases=(JOURNAL.id,))
        assert papers.add_sightings(connection, [seen(both, "arxiv")], THURSDAY).merged == 1
        assert all(is_locked(database, schema.papers, row) for row in found.values()), "an answer waits for the merge"
