"""Reading lists that are due are read and stored, and no list stops another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from threading import Event

import pytest
from fakes import THURSDAY, paper, sighting
from outbox import people
from sqlalchemy import update

from digestmail.collect.due_lists import AFTER_FAILURE, DAILY_FOR, EVERY, MOST_LISTS, due_lists
from digestmail.collect.reading_lists import UNCHANGED_TRUSTED, ListReader, read_lists
from digestmail.collect.reading_problems import ReadingProblem, problem_of
from digestmail.errors import (
    SourceError,
    SourceHostUnknownError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
    StorageError,
)
from digestmail.model.papers import Paper, PaperId, Skipped
from digestmail.model.personal import KnownPaper, ReadingList, ReadingListKind
from digestmail.model.reports import ReadingListsReport, never
from digestmail.model.subscribers import SubscriberState
from digestmail.sources.arxiv_ids import ArxivIdLists
from digestmail.sources.reading_list import ListedPaper, ListReading
from digestmail.storage import erasing, papers, profiles, reading_lists
from digestmail.storage.schema import subscribers

ORCID, ZOTERO, AUTHOR, IDS, FILE = (
    ReadingListKind.ORCID,
    ReadingListKind.ZOTERO,
    ReadingListKind.ARXIV_AUTHOR,
    ReadingListKind.ARXIV_IDS,
    ReadingListKind.FILE,
)
DAY = timedelta(days=1)
QUIET = ListedPaper(title="Quiet rivers", abstract="We listen.")

Answer = Sequence[ListedPaper] | ListReading | Exception


class FakeService:
    """Answers by reference: papers, a reading, or an error to raise. Keeps what it was asked."""

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[tuple[str, str]] = []

    def read(self, reference: str, validator: str = "") -> ListReading:
        self.asked.append((reference, validator))
        answer = self.answers.get(reference, [QUIET])
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, ListReading) else ListReading(papers=tuple(answer))


class FakeFinder:
    """Knows some papers of arXiv, or fails."""

    def __init__(self, *known: Paper, error: SourceError | None = None) -> None:
        self.known = {one.id: one for one in known}
        self.error = error
        self.asked: list[tuple[str, ...]] = []

    def find(self, arxiv_ids: Sequence[str]) -> Mapping[PaperId, Paper]:
        self.asked.append(tuple(arxiv_ids))
        if self.error is not None:
            raise self.error
        return {key: one for key, one in self.known.items() if key.removeprefix("arxiv:") in arxiv_ids}


@pytest.fixture
def reader(database) -> int:
    with database.begin() as connection:
        return people(connection, 1)[0]


def add(database, owner: int | None, kind: ReadingListKind = ORCID, reference: str = "one") -> int:
    with database.begin() as connection:
        return reading_lists.add(connection, owner, kind, reference, (), THURSDAY)


def read(
    database, service=None, finder=None, now=THURSDAY, stop=never
) -> ReadingListsReport:  # fmt: skip
    made = ListReader(service=service or FakeService(), finder=finder or FakeFinder())
    return read_lists(database, due_lists(database, now), lambda _one: made, now, stop=stop)


def stored(database, list_id: int) -> ReadingList:
    with database.connect() as connection:
        return next(one for owner in (None, 1) for one in reading_lists.of(connection, owner) if one.id == list_id)


def known(database, owner: int) -> tuple[KnownPaper, ...]:
    with database.connect() as connection:
        profile = profiles.of(connection, owner)
    return profile.papers if profile else ()


# -- reading ---------------------------------------------------------------------------------------------------------


def test_the_papers_of_a_list_are_stored_with_title_and_abstract(database, reader):
    list_id = add(database, reader)
    service = FakeService(
        {"one": ListReading(papers=(QUIET,), skipped=(Skipped(entry="x", reason="y"),), validator="7")}
    )
    assert read(database, service) == ReadingListsReport(read=1, papers=1, skipped=1)
    assert known(database, reader) == (KnownPaper(title="Quiet rivers", abstract="We listen."),)
    row = stored(database, list_id)
    assert (row.read_at, row.tried_at, row.problem, row.validator) == (THURSDAY, THURSDAY, None, "7")


def test_a_list_is_read_again_after_a_week_with_the_validator_it_got(database, reader):
    add(database, reader)
    service = FakeService({"one": ListReading(papers=(QUIET,), validator="7")})
    read(database, service)
    assert read(database, service, now=THURSDAY + EVERY - timedelta(minutes=1)) == ReadingListsReport()
    read(database, service, now=THURSDAY + EVERY)
    assert service.asked == [("one", ""), ("one", "7")]


def test_an_unchanged_list_keeps_its_papers_and_rests_for_a_week(database, reader):
    list_id = add(database, reader)
    read(database, FakeService({"one": ListReading(papers=(QUIET,), validator="7")}))
    unchanged = FakeService({"one": ListReading(unchanged=True, validator="7")})
    assert read(database, unchanged, now=THURSDAY + EVERY) == ReadingListsReport(unchanged=1)
    assert len(known(database, reader)) == 1
    row = stored(database, list_id)
    assert (row.read_at, row.tried_at, row.validator) == (THURSDAY, THURSDAY + EVERY, "7")
    assert due_lists(database, THURSDAY + EVERY + 6 * DAY) == ()


def test_unchanged_is_not_trusted_for_ever(database, reader):
    add(database, reader)
    read(database, FakeService({"one": ListReading(papers=(QUIET,), validator="7")}))
    service = FakeService({"one": ListReading(unchanged=True, validator="7")})
    times = [THURSDAY + weeks * EVERY for weeks in range(1, 6)]
    for now in times:
        read(database, service, now=now)
    assert [validator for _, validator in service.asked] == [
        "7" if now - THURSDAY <= UNCHANGED_TRUSTED else "" for now in times
    ]


def test_a_failing_list_is_recorded_and_tried_again_after_a_day(database, reader):
    list_id = add(database, reader)
    read(database)
    later = THURSDAY + EVERY
    failing = FakeService({"one": SourceRefusedError("no", status=404)})
    assert read(database, failing, now=later) == ReadingListsReport(failed=1)
    row = stored(database, list_id)
    assert (row.papers, row.problem, row.tried_at) == (1, ReadingProblem.UNKNOWN, later)
    assert read(database, failing, now=later + AFTER_FAILURE - timedelta(minutes=1)) == ReadingListsReport()
    assert read(database, now=later + AFTER_FAILURE) == ReadingListsReport(read=1, papers=1)
    assert stored(database, list_id).problem is None


def test_a_list_that_failed_for_two_weeks_is_tried_once_a_week(database, reader):
    add(database, reader)
    gone = FakeService({"one": SourceRefusedError("no", status=404)})
    days = [day for day in range(40) if read(database, gone, now=THURSDAY + day * AFTER_FAILURE).failed]
    assert days == [*range(DAILY_FOR.days + 1), 21, 28, 35]
    assert read(database, now=THURSDAY + timedelta(days=42)).read == 1
    assert read(database, gone, now=THURSDAY + timedelta(days=49)).failed == 1
    assert read(database, gone, now=THURSDAY + timedelta(days=50)).failed == 1


@pytest.mark.parametrize("error", [SourceUnreadableError("odd"), ValueError("a bug"), RecursionError()])
def test_a_list_that_fails_in_any_way_does_not_stop_the_others(database, reader, error):
    bad, good = add(database, reader, reference="bad"), add(database, reader, reference="good")
    assert read(database, FakeService({"bad": error})) == ReadingListsReport(read=1, papers=1, failed=1)
    assert stored(database, bad).problem == ReadingProblem.UNREADABLE
    assert stored(database, good).problem is None


def test_a_database_that_fails_is_not_the_fault_of_a_list(database, reader):
    add(database, reader)
    with pytest.raises(StorageError, match="gone"):
        read(database, FakeService({"one": StorageError("gone")}))


def test_readers_see_no_detail_and_the_operator_does(database, reader):
    mine, common = add(database, reader), add(database, None)
    said = "the proxy 10.0.0.7:3128\nanswered 502"
    read(database, FakeService({"one": SourceUnavailableError(said)}))
    assert stored(database, mine).problem == ReadingProblem.UNAVAILABLE
    assert stored(database, common).problem == "the proxy 10.0.0.7:3128 answered 502"


def test_texts_that_no_database_takes_are_stored_without_what_it_refuses(database, reader):
    add(database, reader)
    odd = ListedPaper(title="a\x00b\ud800c", abstract="\x00")
    assert read(database, FakeService({"one": [odd, QUIET]})).read == 1
    assert len(known(database, reader)) == 2


def test_nothing_is_stored_of_a_reader_who_was_erased_meanwhile(database, reader):
    add(database, reader)

    class Erasing(FakeService):
        def read(self, reference: str, validator: str = "") -> ListReading:
            with database.begin() as connection:
                erasing.erase(connection, reader, THURSDAY)
            return super().read(reference, validator)

    read(database, Erasing())
    assert known(database, reader) == ()


# -- throttling ------------------------------------------------------------------------------------------------------


def test_after_a_refusal_for_too_many_requests_the_other_lists_of_the_service_wait(database, reader):
    first, second = add(database, reader, reference="first"), add(database, reader, reference="second")
    third = add(database, reader, ZOTERO, "third")
    service = FakeService({"first": SourceThrottledError("slowly", status=429, retry_after=900)})
    assert read(database, service) == ReadingListsReport(read=1, papers=1, failed=1, postponed=1)
    assert sorted(asked for asked, _ in service.asked) == ["first", "third"]
    assert stored(database, first).problem == ReadingProblem.THROTTLED
    assert stored(database, second).tried_at is None
    assert stored(database, third).read_at == THURSDAY


def test_a_list_that_was_not_asked_for_because_of_a_pause_is_not_at_fault(database, reader):
    list_id = add(database, reader)
    service = FakeService({"one": SourceThrottledError("may not be asked for 900 seconds", retry_after=900)})
    assert read(database, service) == ReadingListsReport(postponed=1)
    assert stored(database, list_id).tried_at is None
    assert read(database) == ReadingListsReport(read=1, papers=1)


# -- what is due -----------------------------------------------------------------------------------------------------


def test_a_run_reads_the_lists_that_waited_longest_up_to_a_limit(database, reader):
    ids = [add(database, reader, reference=f"list {number}") for number in range(MOST_LISTS + 5)]
    assert read(database).read == MOST_LISTS
    assert [one.id for one in due_lists(database, THURSDAY)] == ids[MOST_LISTS:]
    assert read(database, now=THURSDAY + DAY).read == 5
    assert read(database, now=THURSDAY + DAY) == ReadingListsReport()


def test_without_lists_nothing_is_due(database):
    assert due_lists(database, THURSDAY) == ()


def test_lists_of_readers_who_are_not_subscribed_are_not_read(database, reader):
    add(database, reader)
    with database.begin() as connection:
        connection.execute(update(subscribers).values(state=SubscriberState.UNSUBSCRIBED))
    assert due_lists(database, THURSDAY) == ()


def test_a_clock_that_was_ahead_does_not_keep_a_list_from_being_read(database, reader):
    add(database, reader)
    read(database, now=THURSDAY + 400 * DAY)
    assert read(database).read == 1


def test_files_are_never_due(database, reader):
    add(database, reader, FILE, "mine.bib")
    add(database, None, FILE, "ours.bib")
    assert due_lists(database, THURSDAY) == ()


def test_it_stops_between_two_lists_and_the_next_run_continues(database, reader):
    for number in range(3):
        add(database, reader, reference=str(number))
    service = FakeService()
    assert read(database, service, stop=lambda: bool(service.asked)).read == 1
    assert read(database).read == 2


def test_a_service_that_never_answers_does_not_keep_the_run_from_ending(database, reader):
    add(database, reader)
    asked, over = Event(), Event()

    class Stalling(FakeService):
        def read(self, reference: str, validator: str = "") -> ListReading:
            asked.set()
            over.wait(30)
            return super().read(reference, validator)

    try:
        assert read(database, Stalling(), stop=asked.is_set) == ReadingListsReport()
    finally:
        over.set()


# -- titles and abstracts from elsewhere -----------------------------------------------------------------------------


def store_papers(database, *numbers: int, **fields) -> None:
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(number, **fields) for number in numbers], THURSDAY)


def of_ids(*numbers: int) -> str:
    return " ".join(f"2604.{number:05d}" for number in numbers)


def test_papers_that_are_stored_are_taken_from_there_and_the_others_from_arxiv(database, reader):
    store_papers(database, 1, 3)
    add(database, reader, IDS, of_ids(3, 2, 1))
    finder = FakeFinder(paper(2, abstract="From arXiv."))
    assert read(database, ArxivIdLists(), finder) == ReadingListsReport(read=1, papers=3)
    assert finder.asked == [("2604.00002",)]
    assert known(database, reader) == (
        KnownPaper(title="Paper 3", abstract="We study something."),
        KnownPaper(title="Paper 2", abstract="From arXiv."),
        KnownPaper(title="Paper 1", abstract="We study something."),
    )


def test_if_all_are_stored_arxiv_is_not_asked(database, reader):
    store_papers(database, 1)
    add(database, reader, IDS, of_ids(1))
    finder = FakeFinder()
    assert read(database, ArxivIdLists(), finder).read == 1
    assert finder.asked == []


def test_ids_that_arxiv_does_not_have_are_left_out_and_counted(database, reader):
    add(database, reader, IDS, of_ids(1, 2))
    assert read(database, ArxivIdLists(), FakeFinder(paper(1))) == ReadingListsReport(read=1, papers=1, skipped=1)


def test_a_list_of_which_arxiv_has_no_paper_is_a_failure(database, reader):
    list_id = add(database, reader, IDS, of_ids(1))
    assert read(database, ArxivIdLists(), FakeFinder()).failed == 1
    assert stored(database, list_id).problem == ReadingProblem.UNKNOWN


def test_a_list_of_ids_fails_with_arxiv(database, reader):
    list_id = add(database, reader, IDS, of_ids(1))
    down = FakeFinder(error=SourceUnavailableError("down"))
    assert read(database, ArxivIdLists(), down).failed == 1
    assert stored(database, list_id).problem == ReadingProblem.UNAVAILABLE


def test_a_title_without_an_abstract_gets_it_from_the_stored_paper_or_from_arxiv(database, reader):
    store_papers(database, 1, abstract="Stored.")
    add(database, reader)
    works = [
        ListedPaper(title="My first", ids=(PaperId("arxiv:2604.00001"), PaperId("doi:10.1000/x"))),
        ListedPaper(title="My second", ids=(PaperId("arxiv:2604.00002"),)),
        ListedPaper(title="A book", ids=(PaperId("doi:10.1000/book"),)),
        ListedPaper(title="A talk"),
    ]
    finder = FakeFinder(paper(2, abstract="From arXiv."))
    read(database, FakeService({"one": works}), finder)
    assert finder.asked == [("2604.00002",)]
    assert [(one.title, one.abstract) for one in known(database, reader)] == [
        ("My first", "Stored."), ("My second", "From arXiv."), ("A book", ""), ("A talk", "")
    ]  # fmt: skip


def test_titles_are_kept_if_arxiv_cannot_give_the_abstracts(database, reader):
    add(database, reader)
    work = ListedPaper(title="My first", ids=(PaperId("arxiv:2604.00001"),))
    down = FakeFinder(error=SourceThrottledError("slowly", status=429))
    assert read(database, FakeService({"one": [work]}), down) == ReadingListsReport(read=1, papers=1)
    assert known(database, reader) == (KnownPaper(title="My first"),)


def test_complete_papers_need_no_one_else(database, reader):
    add(database, reader)
    complete = ListedPaper(title="Quiet", abstract="We listen.", ids=(PaperId("arxiv:2604.00001"),))
    finder = FakeFinder()
    read(database, FakeService({"one": [complete]}), finder)
    assert finder.asked == []


def test_an_empty_list_is_read_and_empty(database, reader):
    list_id = add(database, reader)
    assert read(database, FakeService({"one": []})) == ReadingListsReport(read=1)
    assert stored(database, list_id).problem is None


# -- problems --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "error", "problem"),
    [
        (ZOTERO, SourceRefusedError("x", status=403), ReadingProblem.PRIVATE),
        (ZOTERO, SourceRefusedError("x", status=404), ReadingProblem.UNKNOWN),
        (ORCID, SourceRefusedError("x", status=404), ReadingProblem.UNKNOWN),
        (ORCID, SourceRefusedError("x", status=409), ReadingProblem.UNKNOWN),
        (AUTHOR, SourceRefusedError("x", status=400), ReadingProblem.UNKNOWN),
        (AUTHOR, SourceRefusedError("x", status=403), ReadingProblem.REFUSED),
        (ZOTERO, SourceRefusedError("is at 10.0.0.1"), ReadingProblem.REFUSED),
        (ZOTERO, SourceThrottledError("x", status=429), ReadingProblem.THROTTLED),
        (ZOTERO, SourceUnavailableError("x", status=500), ReadingProblem.UNAVAILABLE),
        (ZOTERO, SourceHostUnknownError("x"), ReadingProblem.UNAVAILABLE),
        (ZOTERO, SourceUnreadableError("x"), ReadingProblem.UNREADABLE),
    ],
)
def test_each_error_is_one_of_a_few_sentences(kind, error, problem):
    assert problem_of(kind, error) is problem


def test_reports_add_up():
    one = ReadingListsReport(read=1, unchanged=2, failed=3, postponed=4, papers=5, skipped=6)
    assert one + one == ReadingListsReport(read=2, unchanged=4, failed=6, postponed=8, papers=10, skipped=12)
