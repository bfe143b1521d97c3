from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.model.digests import Arrival, Cadence, Schedule, Wait
from digestmail.model.editions import Slot
from digestmail.model.papers import Health, SourceHealth
from digestmail.schedule.cron import current_slot, next_fire, open_until
from digestmail.schedule.gate import Gate, batch_start, judge_gate

HOUR = timedelta(hours=1)
BERLIN = Schedule(cron="0 7 * * *", timezone="Europe/Berlin")


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def health(
    fresh: datetime | None, *, read: datetime | None = None, category: str = "", state: Health = Health.FRESH
) -> SourceHealth:
    read_at = read or fresh or at("2026-04-02T07:00")
    return SourceHealth(
        source="one", category=category, health=state, detail="said so", read_at=read_at, fresh_at=fresh
    )


def slot_of(schedule: Schedule, moment: datetime) -> Slot:
    found = current_slot(schedule, moment)
    assert found is not None
    return found


def judge(
    *rows: SourceHealth,
    now: datetime,
    arrival: Arrival = Arrival.ARXIV,
    hours: float = 3.0,
    schedule: Schedule = BERLIN,
) -> Gate:
    wait = Wait(sources=(("one", arrival),), hours=hours)
    return judge_gate(wait, schedule, slot_of(schedule, now), {"one": [rows]}, now)


THURSDAY = at("2026-04-02T07:00")


@pytest.mark.parametrize(
    ("fresh", "now", "closed"),
    [
        ("2026-04-02T06:17", "2026-04-02T07:00", False),  # came before the slot
        ("2026-04-01T06:17", "2026-04-02T07:00", True),  # yesterday's
        ("2026-04-01T23:00", "2026-04-02T07:00", True),  # yesterday's, read late: it is still yesterday in New York
        ("2026-04-02T08:17", "2026-04-02T08:17", False),
        ("2026-04-01T06:17", "2026-04-02T09:59", True),
        ("2026-04-01T06:17", "2026-04-02T10:00", False),  # the deadline
        ("2026-04-03T06:17", "2026-04-04T07:00", False),  # Saturday: nothing to wait for
        ("2026-04-02T06:17", "2026-04-04T07:00", False),  # not even for a batch that was late on Friday
        ("2026-04-03T06:17", "2026-04-06T07:00", True),  # Monday: Friday's
        ("2026-12-24T06:17", "2026-12-25T07:00", True),  # Thursday evening is not deferred
        ("2026-12-25T06:17", "2026-12-28T07:00", False),  # Friday's, and thus Sunday's evening is
        ("2026-12-29T06:17", "2026-12-30T07:00", False),
    ],
)
def test_an_edition_waits_for_arxivs_batch_of_the_day(fresh, now, closed):
    gate = judge(health(at(fresh)), now=at(now))
    assert gate.is_closed(at(now)) is closed


def test_a_silent_day_says_why():
    gate = judge(health(at("2026-12-25T06:17")), now=at("2026-12-28T07:00"))
    (one,) = gate.silent
    assert str(one) == (
        "one (arXiv announced nothing on 2026-12-28: holiday, the announcement of 2026-12-25 was deferred)"
    )
    assert gate.missing == ()


def test_holidays_that_arxiv_has_not_published_are_waited_for():
    now = at("2027-01-04T07:00")  # probably deferred on New Year's Day
    assert judge(health(at("2026-12-30T06:17")), now=now).is_closed(now)
    weekend = at("2027-01-09T07:00")
    assert not judge(health(at("2027-01-07T06:17")), now=weekend).is_closed(weekend)


def test_a_category_with_yesterdays_papers_is_waited_for_and_one_without_papers_is_not():
    fresh, old = at("2026-04-02T06:17"), at("2026-04-01T06:17")
    stale = health(old, read=fresh, category="cs.CL", state=Health.STALE)
    gate = judge(health(fresh), health(fresh, category="cs.LG"), stale, now=THURSDAY)
    assert [one.why for one in gate.missing] == ["cs.CL stale: said so"]
    quiet = health(old, read=fresh, category="math.KT", state=Health.NOTHING_ANNOUNCED)
    assert judge(health(fresh), health(fresh, category="cs.LG"), quiet, now=THURSDAY).missing == ()


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ((), "not read yet"),
        ((health(None, state=Health.UNAVAILABLE),), "unavailable: said so"),
        ((health(at("2026-04-01T06:17"), read=THURSDAY, state=Health.THROTTLED),), "throttled: said so"),
        ((health(at("2026-04-09T06:17")),), "not read yet"),  # by a clock that was ahead
    ],
)
def test_what_is_missing_is_said(rows, why):
    (one,) = judge(*rows, now=THURSDAY).missing
    assert (one.source, one.why) == ("one", why)


def test_a_parked_source_is_not_waited_for():
    gate = judge(health(None, state=Health.PARKED), now=THURSDAY)
    assert (gate.missing, gate.silent[0].why) == ((), "parked")


@pytest.mark.parametrize(
    ("fresh", "read", "closed"),
    [
        ("2026-04-01T18:00", "2026-04-02T07:00", True),  # belonged to the slot before
        ("2026-04-01T20:00", "2026-04-02T07:00", False),
        ("2026-04-02T07:00", "2026-04-02T07:00", True),  # more may come
        ("2026-04-02T07:00", "2026-04-02T07:10", False),
    ],
)
def test_a_list_that_fills_up_is_waited_for_until_a_reading_brings_nothing_more(fresh, read, closed):
    row, now = health(at(fresh), read=at(read)), at(read)
    assert judge(row, now=now, arrival=Arrival.GRADUAL).is_closed(now) is closed


def test_other_sources_have_their_batch_with_the_first_new_paper():
    assert not judge(health(THURSDAY), now=THURSDAY, arrival=Arrival.AT_ONCE).missing
    assert judge(health(THURSDAY - 13 * HOUR), now=THURSDAY, arrival=Arrival.AT_ONCE).missing


@pytest.mark.parametrize(("cron", "hours"), [("0 7 * * *", 10), ("0 7,13 * * *", 1.5), ("@hourly", 0.25)])
def test_a_wait_ends_early_enough_for_a_run_before_the_slot_is_closed(cron, hours):
    gate = judge(now=THURSDAY, hours=24, schedule=Schedule(cron=cron, timezone="Europe/Berlin"))
    assert gate.until == THURSDAY + hours * HOUR


def test_a_weekly_edition_does_not_count_papers_of_last_week_as_todays():
    weekly = Schedule(cron="0 7 * * *", timezone="Europe/Berlin", every=Cadence.WEEKLY)
    monday = slot_of(weekly, THURSDAY)
    assert batch_start(weekly, monday) == monday.at - 12 * HOUR


MOMENTS = st.datetimes(datetime(2026, 1, 2), datetime(2027, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them naive
SCHEDULES = st.sampled_from(
    [
        BERLIN,
        Schedule(cron="0 7 * * 1-5", timezone="America/New_York"),
        Schedule(cron="30 2 * * *", timezone="Europe/Berlin"),
        Schedule(cron="0 7,19 * * *", timezone="Pacific/Chatham"),
        Schedule(cron="0 7 * * *", timezone="Asia/Tehran", every=Cadence.MONTHLY),
        Schedule(cron="@hourly", timezone="UTC"),
    ]
)
STATES = st.sampled_from(Health)
AGES = st.timedeltas(timedelta(0), timedelta(days=12))


@given(
    MOMENTS,
    SCHEDULES,
    st.floats(0.1, 24),
    st.lists(st.tuples(st.sampled_from(Arrival), STATES, AGES, AGES, st.booleans()), max_size=4),
)
def test_no_edition_waits_for_ever_or_for_what_it_has(moment, schedule, hours, given_sources):
    """Whatever the readings were: the wait ends in its slot, only unread batches are waited for, news only helps."""
    sources, rows = [], {}
    for number, (arrival, state, fresh_ago, read_ago, never) in enumerate(given_sources):
        name, read_at = f"source-{number}", moment - min(read_ago, fresh_ago)
        sources.append((name, arrival))
        fresh_at = None if never else moment - max(read_ago, fresh_ago)
        rows[name] = [
            [SourceHealth(source=name, category="", health=state, detail="", read_at=read_at, fresh_at=fresh_at)]
        ]
    wait, slot = Wait(sources=tuple(sources), hours=hours), slot_of(schedule, moment)
    gate = judge_gate(wait, schedule, slot, rows, moment)
    assert slot.at < gate.until <= slot.at + timedelta(hours=hours)
    assert gate.until < open_until(schedule, slot)
    assert gate.until < next_fire(schedule, slot.at)
    assert not gate.is_closed(gate.until)
    assert gate == judge_gate(wait, schedule, slot, rows, moment)
    assert {one.source for one in (*gate.missing, *gate.silent)} <= {name for name, _ in sources}
    for name, arrival in sources:
        ((row,),) = rows[name]
        news = {
            **rows,
            name: [[SourceHealth(**{**fields(row), "health": Health.FRESH, "fresh_at": moment, "read_at": moment})]],
        }
        later = judge_gate(wait, schedule, slot, news, moment)
        if arrival is not Arrival.GRADUAL:
            assert name not in later.sources
        assert set(later.sources) - {name} == set(gate.sources) - {name}, "sources are judged one by one"


def fields(row: SourceHealth) -> dict[str, object]:
    return {name: getattr(row, name) for name in SourceHealth.__dataclass_fields__}


def judge_table(*members: list[SourceHealth]) -> Gate:
    """Return the gate of Thursday for a table of several feeds, read at the start of the slot."""
    wait = Wait(sources=(("blogs", Arrival.AT_ONCE),))
    return judge_gate(wait, BERLIN, slot_of(BERLIN, THURSDAY), {"blogs": members}, THURSDAY)


def test_a_table_of_several_feeds_has_its_batch_when_one_of_them_has():
    quiet = health(at("2026-03-20T06:00"), read=THURSDAY, state=Health.NOTHING_ANNOUNCED)
    dead = health(None, read=THURSDAY, state=Health.UNAVAILABLE)
    new, parked = health(THURSDAY), health(None, read=THURSDAY, state=Health.PARKED)
    assert judge_table([dead], [quiet], [], [new]).missing == ()
    gate = judge_table([dead], [quiet], [], [parked])
    assert gate.is_closed(THURSDAY)
    assert str(*gate.missing) == "blogs (nothing new in any of the 3 in this table, and 1 could not be read)"
    assert judge_table([parked], [parked]).silent
    assert not judge_table([parked], [parked]).missing


@given(MOMENTS, st.floats(0.1, 24))
def test_arxiv_is_not_waited_for_on_weekends(moment, hours):
    gate = judge(now=moment, hours=hours)
    day: date = slot_of(BERLIN, moment).at.astimezone(ZoneInfo("America/New_York")).date()
    assert bool(gate.silent) or day.weekday() < 5
    assert not (gate.silent and gate.missing)
