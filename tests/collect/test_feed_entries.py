"""What a feed shows from day to day: which entries are new, and which editions come of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape

import pytest
from fakes import digest, render
from fetching import ScriptedFetcher
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.model.digests import Limits
from digestmail.model.reports import SourceReport
from digestmail.model.subscribers import Subscription
from digestmail.sources.feed import Feed
from digestmail.storage import editions, papers, schema, subscribers
from digestmail.storage.database import Database

DAY = timedelta(days=1)
MONDAY = datetime(2026, 5, 4, 6, 30, tzinfo=UTC)
LINK = "https://tools.example.org/changelog"


def entry(title: str, link: str = LINK, guid: str = "", at: datetime | None = None) -> str:
    parts = [f"<title>{escape(title)}</title><link>{escape(link)}</link><description>About {title}.</description>"]
    if guid:
        parts.append(f'<guid isPermaLink="false">{escape(guid)}</guid>')
    if at:
        parts.append(f"<pubDate>{format_datetime(at)}</pubDate>")
    return f"<item>{''.join(parts)}</item>"


def read(database: Database, *entries: str, day: int = 0, source: str = "blog") -> SourceReport:
    body = f'<rss version="2.0"><channel><title>B</title>{"".join(entries)}</channel></rss>'.encode()
    feed = Feed(name=source, fetcher=ScriptedFetcher(lambda _: body), url=f"https://{source}.example.org/feed")
    (report,) = collect(database, [feed], MONDAY + day * DAY).sources
    return report


def titles(database: Database) -> list[str]:
    with database.connect() as connection:
        found = papers.list_papers(connection, 100)
    return sorted(paper.title for paper in found)


def test_an_entry_under_the_same_link_with_a_guid_of_its_own_is_new_the_day_after(database):
    read(database, entry("Version 1", f"{LINK}#v1", "v1"))
    report = read(database, entry("Version 2", f"{LINK}#v2", "v2"), entry("Version 1", f"{LINK}#v1", "v1"), day=1)
    assert (report.new, report.skipped) == (1, {})
    assert titles(database) == ["Version 1", "Version 2"]


def test_it_is_new_even_if_it_stands_there_alone(database):
    read(database, entry("Version 1", guid="v1"))
    assert read(database, entry("Version 2", guid="v2"), day=1).new == 1
    again = read(database, entry("Version 2", guid="v2"), day=2)
    assert (again.new, again.updated) == (0, 0)
    assert titles(database) == ["Version 1", "Version 2"]
    both = read(database, entry("Version 2", guid="v2"), entry("Version 1", guid="v1"), day=3)
    assert both.new == 0
    assert titles(database) == ["Version 1", "Version 2"]


def test_a_guid_outlives_another_link_and_another_title(database):
    read(database, entry("On routs", "https://old.example.org/?p=7", "tag:old,2026:7"))
    report = read(database, entry("On routes", "https://new.example.org/on-routes", "tag:old,2026:7"), day=1)
    assert report.new == 0
    assert titles(database) == ["On routes"]


@pytest.mark.parametrize("guids", [("", ""), ("a", "a"), ("http://b.example.org/?p=1", "https://b.example.org/?p=1")])
def test_a_move_from_http_to_https_makes_nothing_new(database, guids):
    read(database, entry("On routes", "http://b.example.org/1", guids[0]))
    report = read(database, entry("On routes", "https://b.example.org/1", guids[1]), day=1)
    assert report.new == 0
    assert titles(database) == ["On routes"]


def test_guids_that_change_with_every_reading_make_nothing_new(database):
    read(database, entry("On routes", guid="build-1"))
    report = read(database, entry("On routes", guid="build-2"), day=1)
    assert report.new == 0
    assert titles(database) == ["On routes"]


def test_one_post_in_two_feeds_is_one_paper_whatever_their_guids(database):
    read(database, entry("On routes", guid="7"))
    assert read(database, entry("On routes", guid="tag:x,2026:7"), source="planet").new == 0
    assert read(database, entry("On routes"), source="list").new == 0
    assert titles(database) == ["On routes"]


def test_the_same_guid_in_two_feeds_says_nothing(database):
    read(database, entry("On routes", "https://a.example.org/x", "1"))
    assert read(database, entry("On roads", "https://b.example.org/y", "1"), source="other").new == 1
    assert titles(database) == ["On roads", "On routes"]


def test_two_papers_on_arxiv_that_one_page_shows_on_two_days_stay_two(database):
    read(database, entry("One", "https://list.example.org/today", "oai:arXiv.org:2604.00157v1"))
    report = read(database, entry("Two", "https://list.example.org/today", "oai:arXiv.org:2604.00158v1"), day=1)
    assert report.new == 1
    assert titles(database) == ["One", "Two"]


# -- dates -----------------------------------------------------------------------------------------------------------


class Days:
    """A digest of one feed, published every day."""

    def __init__(self, database: Database, **fields) -> None:
        self.database = database
        self.digest = digest(sources=("blog",), **fields)
        with database.begin() as connection:
            number = subscribers.add(connection, "reader@example.org", MONDAY - DAY)
            subscribers.subscribe(connection, number, Subscription(digest="daily", topics=()), MONDAY - DAY)

    def publish(self, day: int) -> list[str]:
        """Return the titles of the day's edition."""
        at = MONDAY + day * DAY + timedelta(minutes=45)
        publish(self.database, [self.digest], render, at)
        with self.database.connect() as connection:
            stored = editions.get(connection, "daily", at.date().isoformat())
            if stored is None:
                return []
            segments = connection.execute(
                select(schema.deliveries.c.segment_id).where(schema.deliveries.c.edition_id == stored.id)
            ).scalars()
            ids = [paper_id for number in segments for paper_id in editions.segment(connection, number).paper_ids]
            found = [papers.find(connection, paper_id) for paper_id in ids]
        return [paper.title for paper in found if paper]


def numbered(number: int, at: datetime | None = None) -> str:
    return entry(f"Paper {number}", f"https://blog.example.org/{number}", at=at)


def test_a_history_without_dates_does_not_hide_what_comes_later(database):
    days = Days(database, limits=Limits(max_papers=10))
    history = [numbered(number) for number in range(60)]
    read(database, *history)
    assert len(days.publish(0)) == 10
    for day in range(1, 6):
        history.insert(0, numbered(100 + day))
        assert read(database, *history, day=day).new == 1
        assert days.publish(day)[0] == f"Paper {100 + day}"


def test_an_entry_with_an_older_date_is_published_when_it_first_appears_unless_it_is_much_older(database):
    days = Days(database, window_days=1)
    read(database, numbered(0, MONDAY - DAY))
    days.publish(0)
    back = {number: MONDAY + DAY - number * DAY for number in (3, 8, 12, 40)}
    read(database, numbered(0, MONDAY - DAY), *(numbered(number, at) for number, at in back.items()), day=1)
    assert days.publish(1) == ["Paper 3", "Paper 8"]
