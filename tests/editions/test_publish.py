from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from fakes import AGENTS, THURSDAY, VISION, FakeSource, digest, paper, reading, render, sighting
from outbox import claim_deliveries
from sqlalchemy import select, update

from digestmail.collect.collector import collect
from digestmail.editions.publish import dry_run_publish, publish, publish_one
from digestmail.errors import RenderError, SourceRefusedError
from digestmail.model.digests import Limits, OnEmpty
from digestmail.model.subscribers import Subscription
from digestmail.storage import editions, subscribers
from digestmail.storage import schema as tables

DAY = timedelta(days=1)


@pytest.fixture
def see(database):
    def see(*sightings, now=THURSDAY):
        collect(database, [FakeSource("hf", reading(*sightings))], now - timedelta(hours=1))

    return see


@pytest.fixture
def subscribe(database):
    def subscribe(address: str, name: str = "daily", *topics: str) -> int:
        with database.begin() as connection:
            subscriber_id = subscribers.add(connection, address, THURSDAY)
            subscribers.subscribe(connection, subscriber_id, Subscription(digest=name, topics=topics), THURSDAY)
        return subscriber_id

    return subscribe


def go(database, *digests, now=THURSDAY):
    return publish(database, digests or [digest()], render, now).digests


def published_titles(database, slot: str = "2026-04-02", name: str = "daily") -> list[str]:
    with database.connect() as connection:
        stored = editions.get(connection, name, slot)
        return [entry.paper.title for entry in stored.edition.entries]


def mails(database) -> dict[int, list[list[str]]]:
    """Return the expected papers of each email, by subscriber."""
    found: dict[int, list[list[str]]] = {}
    with database.begin() as connection:
        for delivery in claim_deliveries(connection, 1000, THURSDAY + 90 * DAY, DAY):
            segment = editions.segment(connection, delivery.segment_id)
            found.setdefault(delivery.subscriber_id, []).append(
                [paper_id.removeprefix("arxiv:2604.000") for paper_id in segment.paper_ids]
            )
    return found


def test_an_edition_is_published_once_with_one_delivery_per_subscriber(database, see, subscribe):
    see(sighting(1, upvotes=5), sighting(2, upvotes=9))
    subscribe("a@example.org")
    subscribe("b@example.org")
    (report,) = go(database)
    assert (report.status, report.slot, report.papers, report.recipients) == ("published", "2026-04-02", 2, 2)
    assert published_titles(database) == ["Paper 2", "Paper 1"]
    (again,) = go(database, now=THURSDAY + timedelta(hours=3))
    assert again.status == "already-published"
    assert len(mails(database)) == 2


def test_nothing_is_due_before_the_first_slot_of_a_schedule_in_the_future(database, see):
    see(sighting(1))
    (report,) = go(database, digest(cron="0 7 29 2 *"), now=THURSDAY)
    assert report.status in {"not-due", "published"}
    assert report.slot in {None, "2024-02-29"}


def test_a_paper_is_never_published_twice_by_a_digest(database, see):
    see(sighting(1), sighting(2))
    go(database)
    see(sighting(1, upvotes=50), sighting(3), now=THURSDAY + DAY)
    go(database, now=THURSDAY + DAY)
    assert published_titles(database, "2026-04-03") == ["Paper 3"]


def test_leftover_papers_fill_an_edition_but_do_not_cause_one(database, see):
    small = digest(limits=Limits(max_papers=1), window_days=5)
    see(sighting(1, upvotes=9), sighting(2, upvotes=5))
    go(database, small)
    (report,) = go(database, small, now=THURSDAY + DAY)
    assert (report.status, report.papers) == ("empty", 0)
    assert report.reason.startswith("no new papers; hf: fresh")
    big = digest(window_days=5)
    see(sighting(3), now=THURSDAY + 2 * DAY)
    go(database, big, now=THURSDAY + 2 * DAY)
    assert set(published_titles(database, "2026-04-04")) == {"Paper 2", "Paper 3"}


def test_an_empty_day_is_recorded_with_its_reason_and_sends_nothing(database, subscribe):
    subscribe("a@example.org")
    (report,) = go(database)
    assert (report.status, report.reason) == ("empty", "no new papers; no source has been read yet")
    with database.connect() as connection:
        stored = editions.get(connection, "daily", "2026-04-02")
    assert stored.edition.reason == report.reason
    assert mails(database) == {}


def test_an_empty_slot_is_published_when_papers_come_late(database, see, subscribe):
    subscribe("a@example.org")
    go(database)
    see(sighting(1), now=THURSDAY + timedelta(hours=3))
    (report,) = go(database, now=THURSDAY + timedelta(hours=3))
    assert (report.status, report.slot, report.recipients) == ("published", "2026-04-02", 1)


def test_a_digest_that_sends_on_empty_days_sends_once(database, subscribe, see):
    subscribe("a@example.org")
    see()
    said = digest(on_empty=OnEmpty.SEND)
    (report,) = go(database, said)
    assert (report.status, report.recipients) == ("empty", 1)
    see(sighting(1), now=THURSDAY + timedelta(hours=1))
    assert go(database, said, now=THURSDAY + timedelta(hours=1))[0].status == "already-published"
    assert mails(database) == {1: [[]]}


def test_an_empty_day_is_not_recorded_while_a_source_failed(database, subscribe, see):
    subscribe("a@example.org")
    said = digest(on_empty=OnEmpty.SEND)
    collect(database, [FakeSource("hf", SourceRefusedError("403"))], THURSDAY)
    (report,) = go(database, said)
    assert (report.status, report.recipients) == ("empty", 0)
    assert "refused (403)" in report.reason
    later = THURSDAY + timedelta(hours=1)
    see(sighting(1), now=later)
    (report,) = go(database, said, now=later)
    assert (report.status, report.recipients) == ("published", 1)


def test_an_empty_slot_closes_half_way_to_the_next(database, see):
    (saturday,) = go(database)
    assert saturday.status == "empty"
    early = THURSDAY + timedelta(hours=20)
    see(sighting(1), now=early)
    (report,) = go(database, now=early)
    assert (report.status, report.slot) == ("empty", "2026-04-02")
    (report,) = go(database, now=THURSDAY + DAY)
    assert (report.status, report.slot) == ("published", "2026-04-03")


def test_a_first_run_on_a_sunday_names_the_next_slot_and_so_does_one_after_publishing(database, see):
    sunday, monday = THURSDAY + 3 * DAY, datetime(2026, 4, 6, 7, tzinfo=UTC)
    (report,) = go(database, digest(cron="0 7 * * 1-5"), now=sunday)
    assert (report.status, report.next_at) == ("not-due", monday)
    see(sighting(1), now=monday)
    (report,) = go(database, digest(cron="0 7 * * 1-5"), now=monday)
    assert (report.status, report.next_at) == ("published", None)
    (report,) = go(database, digest(cron="0 7 * * 1-5"), now=monday + timedelta(hours=1))
    assert (report.status, report.next_at) == ("already-published", monday + DAY)


def test_a_new_weekly_does_not_begin_with_last_week(database, see):
    see(sighting(1))
    (report,) = go(database, digest(cron="0 7 * * 5", window_days=7))
    assert report.status == "not-due"
    see(sighting(2), now=THURSDAY + DAY)
    (report,) = go(database, digest(cron="0 7 * * 5", window_days=7), now=THURSDAY + DAY)
    assert (report.slot, report.papers) == ("2026-04-03", 2)


@pytest.mark.parametrize("cron", ["0 7,18 * * *", "0 6 * * *", "30 7 * * *"])
def test_another_schedule_does_not_publish_the_same_morning_again(database, see, cron):
    see(sighting(1), sighting(2))
    go(database, digest(limits=Limits(max_papers=1)))
    see(sighting(3), now=THURSDAY + timedelta(minutes=10))
    (report,) = go(database, digest(cron=cron), now=THURSDAY + timedelta(minutes=20))
    assert report.status == "already-published"


def test_a_back_fill_uses_no_later_papers_and_precedes_no_published_edition(database, see):
    see(sighting(1), now=THURSDAY + 6 * DAY)
    (past,) = go(database, now=THURSDAY)
    assert (past.status, past.papers) == ("empty", 0)
    go(database, now=THURSDAY + 6 * DAY)
    see(sighting(2), now=THURSDAY + DAY)
    (report,) = go(database, now=THURSDAY + DAY)
    assert (report.status, report.reason) == ("already-published", "a later one is out")


def test_papers_that_are_dated_long_before_are_counted_in_the_reason(database, see):
    see(sighting(1, day=date(2019, 1, 1)))
    (report,) = go(database)
    assert report.reason.startswith("1 paper came, dated long before; no new papers")


def test_subscribers_get_their_chosen_topics(database, see, subscribe):
    both = digest(topics=(AGENTS, VISION))
    everything = subscribe("all@example.org")
    agents = subscribe("agents@example.org", "daily", "Agents")
    vision = subscribe("vision@example.org", "daily", "Vision")
    see(sighting(1, title="An agent"), sighting(2, title="An image"), sighting(3, title="Something else"))
    go(database, both)
    got = mails(database)
    assert sorted(got[everything][0]) == ["01", "02", "03"]
    assert got[agents] == [["01"]]
    assert got[vision] == [["02"]]


def test_a_subscriber_without_papers_gets_no_email(database, see, subscribe):
    subscribe("vision@example.org", "daily", "Vision")
    see(sighting(1, title="An agent"))
    (report,) = go(database, digest(topics=(AGENTS, VISION)))
    assert (report.recipients, report.nothing_for) == (0, 1)


def test_a_subscriber_of_two_digests_gets_no_paper_twice(database, see, subscribe):
    both = subscribe("both@example.org", "daily")
    subscribe("both@example.org", "second")
    only = subscribe("only@example.org", "second")
    see(sighting(1), sighting(2))
    go(database, digest(limits=Limits(max_papers=1)))
    second = digest("second")
    see(sighting(3))
    go(database, second)
    got = mails(database)
    assert sorted(name for mail in got[both] for name in mail) == ["01", "02", "03"]
    assert sorted(got[only][0]) == ["01", "02", "03"]


def test_a_weekly_may_repeat_the_daily_when_it_is_allowed_to(database, see, subscribe):
    both = subscribe("both@example.org", "daily")
    subscribe("both@example.org", "weekly")
    see(sighting(1), sighting(2))
    go(database, digest(), digest("weekly", cron="0 7 * * 4", window_days=7, allow_repeats_of=("daily",)))
    assert [sorted(mail) for mail in mails(database)[both]] == [["01", "02"], ["01", "02"]]


def test_papers_of_missed_days_are_not_lost(database, see):
    see(sighting(1))
    go(database)
    see(sighting(2), now=THURSDAY + 2 * DAY)
    see(sighting(3), now=THURSDAY + 6 * DAY)
    go(database, now=THURSDAY + 6 * DAY)
    assert set(published_titles(database, "2026-04-08")) == {"Paper 2", "Paper 3"}


def test_the_first_reading_of_an_old_feed_brings_no_old_posts(database, see):
    see(sighting(1, day=date(2019, 1, 1)), sighting(2))
    go(database)
    assert published_titles(database) == ["Paper 2"]


def test_a_withdrawn_paper_is_not_published(database, see):
    see(sighting(1, withdrawn=True), sighting(2))
    (report,) = go(database)
    assert report.outcomes == {"selected": 1, "withdrawn": 1}


def test_an_unexpected_error_in_one_digest_stops_no_other(database, see, subscribe):
    subscribe("a@example.org")
    see(sighting(1))

    def broken(edition, sections):
        if edition.digest == "daily":
            raise RecursionError("too deep")
        return render(edition, sections)

    first, second = publish(database, [digest(), digest("second")], broken, THURSDAY).digests
    assert (first.status, second.status) == ("failed", "published")
    assert first.reason == "unexpected RecursionError: too deep"


def test_an_edition_that_cannot_be_rendered_is_not_published_and_stops_no_other(database, see, subscribe):
    subscribe("a@example.org")
    see(sighting(1))

    def broken(edition, sections):
        if edition.digest == "daily":
            raise RenderError("edition.mjml line 3: no such name")
        return render(edition, sections)

    first, second = publish(database, [digest(), digest("second")], broken, THURSDAY).digests
    assert (first.status, second.status) == ("failed", "published")
    assert "line 3" in first.reason
    with database.connect() as connection:
        assert editions.get(connection, "daily", "2026-04-02") is None
    with database.begin_dry_run() as connection:
        dry_run = dry_run_publish(connection, [digest(), digest("third")], broken, THURSDAY).digests
    assert [report.status for report in dry_run] == ["failed", "published"]
    assert go(database)[0].status == "published"


def test_composing_twice_gives_the_same_edition(database, see):
    see(*[sighting(n, upvotes=n % 3) for n in range(1, 12)])
    with database.begin_dry_run() as connection:
        publish_one(connection, digest(), render, THURSDAY, THURSDAY)
        first = editions.get(connection, "daily", "2026-04-02").edition
    go(database)
    with database.connect() as connection:
        assert editions.get(connection, "daily", "2026-04-02").edition == first


def test_two_time_zones_have_their_own_day(database, see):
    see(sighting(1))
    late = datetime.fromisoformat("2026-04-02T23:30:00+00:00")
    (tokyo,) = go(database, digest("tokyo", timezone="Asia/Tokyo"), now=late)
    (new_york,) = go(database, digest("ny", timezone="America/New_York"), now=late)
    assert (tokyo.slot, new_york.slot) == ("2026-04-03", "2026-04-02")


def test_the_archive_keeps_the_data_of_the_day(database, see):
    see(sighting(1, upvotes=3))
    go(database)
    collect(database, [FakeSource("hf", reading(sighting(1, title="A new title", upvotes=99)))], THURSDAY + DAY)
    with database.connect() as connection:
        (entry,) = editions.get(connection, "daily", "2026-04-02").edition.entries
    assert (entry.paper.title, entry.signals.upvotes) == (paper(1).title, 3)


def due_times(database) -> dict[int, datetime]:
    with database.connect() as connection:
        return dict(connection.execute(select(tables.deliveries.c.subscriber_id, tables.deliveries.c.due_at)).all())


def test_subscribers_get_it_at_their_hour_in_their_time_zone(database, see, subscribe):
    at_once = subscribe("a@example.org")
    seven = subscribe("b@example.org")
    tokyo = subscribe("c@example.org")
    nowhere = subscribe("d@example.org")
    with database.begin() as connection:
        for subscriber_id, hour, zone in ((seven, 7, None), (tokyo, 7, "Asia/Tokyo"), (nowhere, 12, "Mars/Olympus")):
            subscribers.subscribe(connection, subscriber_id, Subscription(digest="daily", hour=hour), THURSDAY)
            connection.execute(
                update(tables.subscribers).where(tables.subscribers.c.id == subscriber_id).values(timezone=zone)
            )
    see(sighting(1))
    go(database)
    assert due_times(database) == {
        at_once: THURSDAY,
        seven: THURSDAY,  # an hour late
        tokyo: THURSDAY + timedelta(hours=14),
        nowhere: THURSDAY + timedelta(hours=4),
    }


def test_paused_subscribers_are_left_out_and_each_language_is_a_segment(database, see, subscribe):
    german, english, resting = subscribe("a@example.org"), subscribe("b@example.org"), subscribe("c@example.org")
    people = tables.subscribers
    with database.begin() as connection:
        connection.execute(update(people).where(people.c.id == german).values(language="de"))
        connection.execute(update(people).where(people.c.id == resting).values(paused_until=THURSDAY + DAY))
    see(sighting(1))
    (report,) = go(database)
    assert (report.recipients, report.nothing_for) == (2, 0)
    with database.connect() as connection:
        found = deliveries_of(connection)
        languages = {who: editions.segment(connection, segment).language for who, segment in found.items()}
    assert languages == {german: "de", english: None}
    see(sighting(2), now=THURSDAY + DAY)
    assert go(database, now=THURSDAY + DAY)[0].recipients == 3


def deliveries_of(connection) -> dict[int, int]:
    return dict(connection.execute(select(tables.deliveries.c.subscriber_id, tables.deliveries.c.segment_id)).all())


def test_subscribers_of_two_digests_get_other_papers_from_the_second(database, see, subscribe):
    small = Limits(max_papers=2)
    see(*(sighting(number, upvotes=20 - number) for number in range(1, 7)))
    both = subscribe("both@example.org")
    subscribe("both@example.org", "evening")
    late = subscribe("late@example.org", "evening")
    go(database, digest(limits=small))
    (report,) = go(database, digest("evening", limits=small))
    assert (report.recipients, report.nothing_for) == (2, 0)
    assert mails(database) == {both: [["01", "02"], ["03", "04"]], late: [["01", "02"]]}


def test_subscribers_without_new_papers_are_counted_and_get_no_email(database, see, subscribe):
    see(sighting(1, title="An agent"))
    subscribe("agents@example.org", "daily", "Agents")
    subscribe("images@example.org", "daily", "Vision")
    (report,) = go(database, digest(topics=(AGENTS, VISION)))
    assert (report.recipients, report.nothing_for) == (1, 1)
