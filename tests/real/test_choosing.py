"""April 2026 as it was: what Hugging Face listed late is in an edition, and no topic's reader is forgotten."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from fakes import FakeSource, digest, reading, render
from replaying import DATA, needs_shared
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.editions.compose import compose
from digestmail.editions.publish import publish
from digestmail.model.digests import Limits, Topic
from digestmail.model.papers import Origin, Paper, PaperId, Sighting
from digestmail.model.subscribers import Subscription
from digestmail.schedule.cron import current_slot
from digestmail.sources.huggingface_items import parse_daily_papers
from digestmail.storage import editions, papers, subscribers
from digestmail.storage import schema as tables
from digestmail.storage.database import Database

pytestmark = needs_shared

DAY = timedelta(days=1)
BEGIN = datetime(2026, 4, 1, 6, 30, tzinfo=UTC)
TOPICS = (
    Topic(name="Agents", keywords=("agent", "tool use"), description="models that plan and call tools"),
    Topic(name="Training", keywords=("optimizer", "quantization", "distillation")),
    Topic(name="Code", keywords=("program repair", "compiler", "code generation")),
    Topic(name="Speech", keywords=("speech", "audio")),
    Topic(name="Robots", keywords=("robot",)),
)
DAILY = digest(
    sources=("hf", "arxiv"), curated=("hf",), topics=TOPICS, limits=Limits(max_papers=20), cron="0 7 * * 1-5"
)
CATEGORIES = {"cs.LG", "cs.CL", "cs.AI"}


def announced(day: date) -> Iterator[Sighting]:
    if day.weekday() >= 5:
        return
    for line in gzip.decompress((DATA / "arxiv_daily" / f"{day}.jsonl.gz").read_bytes()).decode().splitlines():
        item = json.loads(line)
        if CATEGORIES & set(item["categories"]):
            found = Paper(
                id=PaperId(f"arxiv:{item['id']}"),
                title=item["title"],
                abstract=item["summary"],
                origin=Origin.ARXIV,
                link=f"https://arxiv.org/abs/{item['id']}",
                categories=tuple(item["categories"]),
            )
            yield Sighting(source="arxiv", paper=found, day=day)


def listed(day: date) -> tuple[Sighting, ...]:
    path = DATA / "hf_daily" / f"{day}.json.gz"
    if day < BEGIN.date() or not path.exists():
        return ()
    return parse_daily_papers(gzip.decompress(path.read_bytes()), source="hf", day=day).sightings


def test_late_papers_are_in_an_edition_and_every_topic_is_served_every_day(sqlite: Database) -> None:
    database = sqlite
    people: dict[str, int] = {}
    with database.begin() as connection:
        for topic in TOPICS:
            number = subscribers.add(connection, f"{topic.name}@example.org", BEGIN)
            wish = Subscription(digest="daily", topics=(topic.name,))
            subscribers.subscribe(connection, number, wish, BEGIN)
            people[topic.name] = number
    on_arxiv: dict[PaperId, date] = {}
    on_hugging_face: dict[PaperId, date] = {}
    served = 0
    for number in range(30):
        now = BEGIN + number * DAY
        from_arxiv = tuple(announced(now.date()))
        from_hugging_face = [one for back in (2, 1, 0) for one in listed(now.date() - back * DAY)]
        for first, seen in ((on_arxiv, from_arxiv), (on_hugging_face, from_hugging_face)):
            for one in seen:
                first.setdefault(one.paper.id, now.date())
        for name, found in (("hf", from_hugging_face), ("arxiv", from_arxiv)):
            collect(database, [FakeSource(name, reading(*found, source=name))], now)
        wanted = topics_of_new_papers(database, now + timedelta(hours=1))
        (report,) = publish(database, [DAILY], render, now + timedelta(hours=1)).digests
        if report.status == "published":
            served += 1
            assert {people[topic] for topic in wanted} <= recipients(database, now.date()), now
    assert served == 22
    late = [one for one, day in on_hugging_face.items() if one in on_arxiv and (day - on_arxiv[one]).days >= 3]
    # From the 29th on the month ends before the next edition.
    late = [one for one in late if on_hugging_face[one] <= date(2026, 4, 28)]
    assert len(late) > 15
    with database.connect() as connection:
        assert set(late) <= set(papers.published(connection, "daily", late))


def topics_of_new_papers(database: Database, now: datetime) -> set[str]:
    """Return the topics that papers match which came since the last edition and were not published."""
    slot = current_slot(DAILY.schedule, now)
    assert slot is not None
    with database.connect() as connection:
        decisions = compose(connection, DAILY, slot, now).selection.decisions
    return {
        match.topic
        for one in decisions
        if one.new and one.rank is not None and one.match is not None
        for match in (one.match, *one.other_matches)
    }


def recipients(database: Database, day: date) -> set[int]:
    with database.connect() as connection:
        stored = editions.get(connection, "daily", day.isoformat())
        assert stored is not None
        people = select(tables.deliveries.c.subscriber_id).where(tables.deliveries.c.edition_id == stored.id)
        return set(connection.execute(people).scalars())
