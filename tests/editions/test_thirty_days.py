"""Thirty days in a row through the real store, composing and publishing: no day may fall silent.

On SQLite: the choice is the same on both databases, and publishing is tested on both elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from fakes import FakeSource, digest, paper, reading, render
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.editions.explain import Explanation, explain
from digestmail.editions.publish import publish
from digestmail.model.digests import Digest, Limits, Topic
from digestmail.model.papers import Origin, Sighting, Signals
from digestmail.model.reports import DigestReport
from digestmail.model.subscribers import Subscription
from digestmail.storage import editions, subscribers
from digestmail.storage import schema as tables
from digestmail.storage.database import Database

DAY = timedelta(days=1)
MONDAY = datetime(2026, 5, 4, 6, 30, tzinfo=UTC)
"""When the sources are read on the first day; the slot is at seven."""
DAYS = range(30)


def topic(name: str, word: str) -> Topic:
    return Topic(name=name, keywords=(word,))


AGENTS, VISION, CODE = topic("Agents", "agent"), topic("Vision", "image"), topic("Code", "compiler")


class Month:
    """A digest, its readers, and what came on which day. Papers are numbered 1000 * day + place."""

    def __init__(self, database: Database, of: Digest, **readers: Sequence[str] | None) -> None:
        """Subscribe each reader to these topics; none means all."""
        self.database = database
        self.digest = of
        self.readers: dict[str, int] = {}
        with database.begin() as connection:
            for name, topics in readers.items():
                number = subscribers.add(connection, f"{name}@example.org", MONDAY - DAY)
                wish = Subscription(digest=of.name, topics=tuple(topics or ()))
                subscribers.subscribe(connection, number, wish, MONDAY - DAY)
                self.readers[name] = number

    def collect(self, day: int, source: str, *seen: Sighting) -> None:
        collect(self.database, [FakeSource(source, reading(*seen, source=source))], MONDAY + day * DAY)

    def publish(self, day: int) -> DigestReport:
        (report,) = publish(self.database, [self.digest], render, self.at(day)).digests
        return report

    def at(self, day: int) -> datetime:
        return MONDAY + day * DAY + timedelta(minutes=45)

    def mails(self, day: int) -> dict[str, list[int]]:
        """Return the numbers of the papers that each reader gets of a day's edition, in the order of the email."""
        found = {}
        with self.database.connect() as connection:
            stored = editions.get(connection, self.digest.name, key(day))
            if stored is None:
                return {}
            rows = connection.execute(
                select(tables.deliveries.c.subscriber_id, tables.deliveries.c.segment_id).where(
                    tables.deliveries.c.edition_id == stored.id
                )
            ).all()
            for name, number in self.readers.items():
                for row in rows:
                    if row.subscriber_id == number:
                        segment = editions.segment(connection, row.segment_id)
                        found[name] = [int(paper_id.rpartition(".")[2]) for paper_id in segment.paper_ids]
        return found

    def explain(self, day: int, number: int) -> Explanation:
        with self.database.connect() as connection:
            _, (explanation,) = explain(connection, [self.digest], paper(number).id, self.at(day))
        return explanation


def key(day: int) -> str:
    return (MONDAY + day * DAY).date().isoformat()


def mention(number: int, source: str, *, on: date, upvotes: int | None = None, title: str = "A proof") -> Sighting:
    origin = Origin.HUGGING_FACE if source == "hf" else Origin.ARXIV
    known = paper(number, title=f"{title} {number}", origin=origin)
    return Sighting(source=source, paper=known, day=on, signals=Signals(upvotes=upvotes))


def announced(day: int, count: int, *, source: str = "arxiv", title: str = "A proof", first: int = 0) -> list[Sighting]:
    on = (MONDAY + day * DAY).date()
    return [mention(1000 * day + first + place, source, on=on, title=title) for place in range(count)]


def day_of(number: int) -> int:
    return number // 1000


@pytest.mark.parametrize(
    ("topics", "most"),
    [((), 25), ((topic("Nothing", "unheard-of"),), 10)],
    ids=["no-topics", "a-topic-nothing-matches"],
)
@pytest.mark.parametrize(
    ("source", "count", "curated"), [("arxiv", 100, ()), ("journal", 40, ("journal",))], ids=["arxiv", "journal"]
)
def test_a_source_that_counts_nothing_sends_new_papers_every_day(sqlite, topics, most, source, count, curated):
    month = Month(sqlite, digest(sources=(source,), curated=curated, topics=topics), reader=())
    had: set[int] = set()
    for day in DAYS:
        month.collect(day, source, *announced(day, count, source=source))
        report = month.publish(day)
        (mail,) = month.mails(day).values()
        assert (report.status, report.papers, report.recipients) == ("published", most, 1), (day, report)
        assert [day_of(number) for number in mail] == [day] * most
        assert not had & set(mail)
        had |= set(mail)


def test_after_an_undated_backlog_each_new_article_is_new_on_its_day(sqlite):
    month = Month(sqlite, digest(sources=("journal",), curated=("journal",)), reader=())
    had: set[int] = set()
    for day in DAYS:
        # Without dates an article's day is that of the reading.
        month.collect(day, "journal", *announced(day, 60 if day == 0 else 1, source="journal"))
        assert month.publish(day).status == "published"
        (mail,) = month.mails(day).values()
        assert mail[0] == 1000 * day
        # What is left of the backlog fills up the second edition, then it is older than the window.
        assert len(mail) == {0: 25, 1: 25}.get(day, 1)
        assert not had & set(mail)
        had |= set(mail)
    assert len(had) == 25 + 25 + len(DAYS) - 2


def test_weekends_stay_silent_and_monday_brings_mondays_papers(sqlite):
    month = Month(sqlite, digest(sources=("arxiv",)), reader=())
    for day in DAYS:
        weekend = (MONDAY + day * DAY).weekday() >= 5
        month.collect(day, "arxiv", *([] if weekend else announced(day, 100)))
        report = month.publish(day)
        if weekend:
            assert (report.status, month.mails(day)) == ("empty", {})
            assert report.reason.startswith("no new papers; ")
        else:
            (mail,) = month.mails(day).values()
            assert {day_of(number) for number in mail} == {day}


def test_hugging_face_alone_brings_the_papers_of_each_day_the_most_upvoted_first(sqlite):
    month = Month(sqlite, digest(sources=("hf",), curated=("hf",)), reader=())
    had: set[int] = set()
    for day in DAYS:
        today = (MONDAY + day * DAY).date()
        again = [
            mention(1000 * before + place, "hf", on=today - (day - before) * DAY, upvotes=40 + place)
            for before in range(max(0, day - 2), day)
            for place in range(30)
        ]
        month.collect(day, "hf", *again, *(mention(1000 * day + n, "hf", on=today, upvotes=n) for n in range(30)))
        assert month.publish(day).status == "published"
        (mail,) = month.mails(day).values()
        assert mail == [1000 * day + place for place in range(29, 4, -1)]
        assert not had & set(mail)
        had |= set(mail)


def readme(**fields) -> Digest:
    return digest(sources=("hf", "arxiv"), curated=("hf",), topics=(AGENTS,), **fields)


def test_the_configuration_of_the_readme_brings_todays_papers_in_every_section(sqlite):
    month = Month(sqlite, readme(), everything=(), agents=("Agents",))
    had: set[int] = set()
    for day in DAYS:
        today = (MONDAY + day * DAY).date()
        month.collect(day, "hf", *(mention(1000 * day + n, "hf", on=today, upvotes=5 + n) for n in range(5)))
        month.collect(
            day, "arxiv", *announced(day, 96, first=100), *announced(day, 4, first=300, title="An agent's proof")
        )
        assert month.publish(day).status == "published"
        mails = month.mails(day)
        assert {day_of(number) for number in mails["everything"]} == {day}
        assert len(mails["everything"]) == 4 + 10
        assert {1000 * day + n for n in range(5)} <= set(mails["everything"])
        assert sorted(mails["agents"]) == [1000 * day + n for n in range(300, 304)]
        assert not had & set(mails["everything"])
        had |= set(mails["everything"])


def test_what_hugging_face_lists_days_after_arxiv_leads_the_edition_unless_its_readers_had_it(sqlite):
    month = Month(sqlite, readme(limits=Limits(max_per_topic=3)), reader=())
    for day in DAYS:
        today = (MONDAY + day * DAY).date()
        month.collect(day, "arxiv", *announced(day, 20))
        listed = []
        if day >= 14:
            # Announced long before the window: the last place found no room then, the first was sent.
            fortnight, week = 1000 * (day - 14) + 19, 1000 * (day - 6) + 18
            sent = 1000 * (day - 7)
            listed = [
                mention(fortnight, "hf", on=today, upvotes=92),
                mention(week, "hf", on=today, upvotes=40),
                mention(sent, "hf", on=today, upvotes=400),
            ]
        month.collect(day, "hf", *listed)
        if listed:
            assert [month.explain(day, number).outcome for number in (fortnight, week, sent)] == [
                "selected",
                "selected",
                "published",
            ]
        assert month.publish(day).status == "published"
        (mail,) = month.mails(day).values()
        if listed:
            assert mail[:2] == [fortnight, week]
            assert sent not in mail
            assert day_of(mail[2]) == day
            assert month.explain(day, fortnight).slot == key(day)
        else:
            assert {day_of(number) for number in mail} == {day}


READERS = {"everything": (), "all": ("Agents", "Vision", "Code"), "one": ("Code",), "two": ("Vision", "Code")}


def of_four(day: int) -> list[Sighting]:
    """Return a day on which Hugging Face's upvoted agents would take every place; compilers come on most days."""
    today = (MONDAY + day * DAY).date()
    loud = [mention(1000 * day + n, "hf", on=today, upvotes=50 + n, title="An agent") for n in range(12)]
    others = [mention(1000 * day + 100 + n, "hf", on=today, upvotes=30 + n, title="A proof") for n in range(12)]
    images = announced(day, day % 4, first=200, title="An image")
    code = announced(day, (day * 7) % 5, first=300, title="A compiler")
    both = announced(day, 1, first=400, title="A compiler for an agent") if day % 6 == 5 else []
    return [*loud, *others, *images, *code, *both]


def test_four_readers_get_every_new_paper_that_is_theirs_and_explain_agrees(sqlite):
    limits = Limits(max_papers=8, max_per_topic=4)
    month = Month(
        sqlite,
        digest(sources=("hf", "arxiv"), curated=("hf",), topics=(AGENTS, VISION, CODE), limits=limits),
        **READERS,
    )
    had: dict[str, set[int]] = {name: set() for name in READERS}
    for day in DAYS:
        seen = of_four(day)
        for source in ("hf", "arxiv"):
            month.collect(day, source, *(one for one in seen if one.source == source))
        new = {number_of(one): one.paper.title for one in seen}
        asked = [min(new), max(new), *(number for number in new if number % 1000 in {11, 111, 200, 300, 400})]
        foretold = {number: month.explain(day, number) for number in asked}

        report = month.publish(day)
        mails = month.mails(day)

        assert report.status == "published"
        assert report.recipients == len(mails)
        assert report.nothing_for == len(READERS) - len(mails)
        for name, topics in READERS.items():
            mail = mails.get(name, [])
            theirs = {number for number, title in new.items() if wanted(title, topics)}
            assert bool(theirs) <= bool(theirs & set(mail)), (day, name)
            assert len(mail) <= 8
            assert not had[name] & set(mail)
            had[name] |= set(mail)
            # No older paper is present if a newer one did not fit.
            if any(day_of(number) != day for number in mail) and len(topics) == 1:
                assert theirs <= set(mail)
        for number, explanation in foretold.items():
            agrees(explanation, number, mails)
            after = month.explain(day, number)
            if explanation.outcome == "selected":
                assert (after.outcome, after.slot) == ("published", key(day))
                agrees(after, number, mails)
            else:
                assert after.slot != key(day)


def number_of(sighting: Sighting) -> int:
    return int(sighting.paper.id.rpartition(".")[2])


def wanted(title: str, topics: Sequence[str]) -> bool:
    words = {"Agents": "agent", "Vision": "image", "Code": "compiler"}
    return not topics or any(words[name] in title.lower() for name in topics)


def agrees(explanation: Explanation, number: int, mails: dict[str, list[int]]) -> None:
    """Assert that explanations agree with the emails of the readers."""
    said = " | ".join(explanation.reasons)
    assert ("subscribers of all topics get it" in said) is (number in mails["everything"]), (number, said)
    assert ("subscribers who chose only 'Code' get it" in said) is (number in mails.get("one", [])), (number, said)
