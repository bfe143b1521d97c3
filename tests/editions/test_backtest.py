"""What another configuration would have sent: replayed in memory, never stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fakes import FakeSource, digest, paper, reading, render
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.editions.backtest import Backtest, backtest
from digestmail.editions.compose import seen_papers
from digestmail.editions.publish import publish
from digestmail.editions.replay import Side, replay, turns
from digestmail.model.digests import Limits, Topic
from digestmail.model.papers import Sighting, Signals
from digestmail.selection.segments import for_all_topics
from digestmail.selection.topic_model import TopicModel, dump, fingerprint
from digestmail.storage import editions, topic_models
from digestmail.storage import schema as tables
from digestmail.storage.topic_models import Learned

DAY = timedelta(days=1)
MONDAY = datetime(2026, 5, 4, 6, 30, tzinfo=UTC)
"""When the source is read on the first day; the slot is at seven."""
CACHES, SOUP = Topic(name="Caches", keywords=("cache",)), Topic(name="Soup", keywords=("soup",))
DAILY = digest(topics=(CACHES, SOUP), limits=Limits(max_papers=3, max_per_topic=2))


def see(database, day: int, *titles: str, hour: float = 0) -> None:
    now = MONDAY + day * DAY + timedelta(hours=hour)
    seen = [
        Sighting(
            source="hf",
            paper=paper(1000 * (day + 1) + 100 * int(hour) + at, title=title),
            day=now.date(),
            signals=Signals(upvotes=99 - at),
        )
        for at, title in enumerate(titles)
    ]
    collect(database, [FakeSource("hf", reading(*seen))], now)


def at(day: int) -> datetime:
    return MONDAY + day * DAY + timedelta(hours=1)


def compared(database, old, new, day: int, days: int = 30) -> Backtest:
    return backtest(database, old, new, at(day), days=days)


def titles(papers) -> list[str]:
    return [one.title for one in papers]


def everything(database) -> dict[str, list[tuple]]:
    with database.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in tables.metadata.sorted_tables
        }


def test_a_replay_of_the_present_configuration_is_what_was_published(database):
    sent = {}
    for day in range(8):
        if day != 5:
            late = 0.75 if day % 3 == 2 else 0
            see(
                database,
                day,
                *(f"{word} {day}.{n}" for n, word in enumerate(["Cache", "Soup", "Cache", "Cache"])),
                hour=late,
            )
        publish(database, [DAILY], render, at(day))
        with database.connect() as connection:
            stored = editions.get(connection, "daily", f"2026-05-{4 + day:02}")
            sections = for_all_topics(stored.edition) if stored else ()
            sent[f"2026-05-{4 + day:02}"] = {one.paper.title for part in sections for one in part.entries}
    found = compared(database, [DAILY], [DAILY], 7).digests[0]
    assert {slot.slot: set(titles(slot.both)) for slot in found.slots if slot.both} == {
        slot: papers for slot, papers in sent.items() if papers
    }
    assert sum(map(len, sent.values())) >= 20
    assert (found.only_old, found.only_new, found.old_editions) == (0, 0, found.new_editions)


def test_nothing_is_written(database):
    see(database, 0, "Cache", "Soup")
    publish(database, [DAILY], render, at(0))
    see(database, 1, "Cache again", "Soup again")
    before = everything(database)
    compared(database, [DAILY], [replace(DAILY, topics=(SOUP,))], 1)
    assert everything(database) == before
    assert before["papers"]


def test_slots_and_totals_say_which_papers_are_in_one_or_both(sqlite):
    see(sqlite, 0, "Cache one", "Soup one", "Tea")
    see(sqlite, 1, "Cache two", "Cache and soup")
    new = replace(DAILY, topics=(SOUP, Topic(name="Tea", keywords=("tea",))), also_trending=False)
    old = replace(DAILY, also_trending=False)
    found = compared(sqlite, [old], [new], 1).digests[0]
    first, second = (slot for slot in found.slots if slot.both or slot.only_old or slot.only_new)
    assert (titles(first.both), titles(first.only_old), titles(first.only_new)) == (
        ["Soup one"],
        ["Cache one"],
        ["Tea"],
    )
    assert [(count.topic, count.old, count.new) for count in first.topics] == [
        ("Caches", 1, 0),
        ("Soup", 1, 1),
        ("Tea", 0, 1),
    ]
    (moved,) = second.both
    assert (moved.title, moved.old_topic, moved.new_topic) == ("Cache and soup", "Caches", "Soup")
    assert (found.both, found.only_old, found.only_new) == (2, 2, 1)


def test_what_the_replay_selected_counts_as_published_and_not_what_was_sent(sqlite):
    see(sqlite, 0, "Soup one")
    publish(sqlite, [replace(DAILY, topics=())], render, at(0))
    see(sqlite, 1, "Soup two")
    picky = replace(DAILY, topics=(replace(SOUP, exclude=("two",)),), also_trending=False, window_days=5)
    (found,) = compared(sqlite, [DAILY], [picky], 1).digests
    assert [titles(slot.both) for slot in found.slots if slot.both] == [["Soup one"]]
    assert found.only_old == 1


def test_a_paper_that_the_other_sends_on_another_day_is_marked_and_not_counted_as_lost(sqlite):
    see(sqlite, 0, "Soup one", "Soup two", "Soup three")
    see(sqlite, 1, "Tea")
    two, three = (digest(limits=Limits(max_papers=most), window_days=5) for most in (2, 3))
    (found,) = compared(sqlite, [two], [three], 1).digests
    first, second = found.slots[-2:]
    assert [(one.title, one.other_slot) for one in first.only_new] == [("Soup three", "2026-05-05")]
    assert [(one.title, one.other_slot) for one in second.only_old] == [("Soup three", "2026-05-04")]
    assert [(one.title, one.other_slot) for one in second.both] == [("Tea", None)]
    assert (found.both, found.only_old, found.only_new) == (4, 0, 0)


def test_papers_published_before_the_period_are_not_sent_again_in_its_first_slot(sqlite):
    see(sqlite, 0, "Soup one")
    see(sqlite, 1, "Soup two")
    (found,) = compared(sqlite, [DAILY], [DAILY], 1, days=1).digests
    assert [(slot.slot, titles(slot.both)) for slot in found.slots] == [("2026-05-05", ["Soup two"])]


def test_schedules_without_a_common_slot_are_compared_by_day(sqlite):
    for day in range(3):
        see(sqlite, day, f"Soup {day}")
    often = digest(topics=DAILY.topics, cron="0 7,19 * * *")
    (found,) = compared(sqlite, [DAILY], [often], 2).digests
    assert [(slot.slot, titles(slot.both)) for slot in found.slots if slot.both] == [
        ("2026-05-04", ["Soup 0"]),
        ("2026-05-05", ["Soup 1"]),
        ("2026-05-06", ["Soup 2"]),
    ]


def test_digests_of_one_side_only_are_named_and_not_compared(sqlite):
    see(sqlite, 0, "Soup")
    found = compared(sqlite, [DAILY, digest("old")], [digest("new"), DAILY], 0)
    assert ([one.digest for one in found.digests], found.only_old, found.only_new) == (["daily"], ("old",), ("new",))
    assert compared(sqlite, [DAILY], [digest("new")], 0).digests == ()


def test_what_one_digest_selects_is_replaced_for_readers_of_another(sqlite):
    see(sqlite, 0, *(f"Soup {n}" for n in range(4)))
    limits = Limits(max_papers=2)
    first, second = digest(limits=limits), digest("second", limits=limits, cron="30 7 * * *")
    kept = {}
    for allowed in ((), ("daily",)):
        digests = (first, replace(second, allow_repeats_of=allowed))
        side = Side(
            digests=digests,
            turns={one.name: tuple(turns(one.schedule, MONDAY, at(0), {})) for one in digests},
        )
        with sqlite.connect() as connection:
            (played,) = replay([side], lambda of, since, now: seen_papers(connection, of, since, now), {})
        (edition,) = played["second"]
        kept[allowed] = [entry.paper.title for entry in edition.entries]
    assert kept == {(): ["Soup 0", "Soup 1", "Soup 2", "Soup 3"], ("daily",): ["Soup 0", "Soup 1"]}


def test_notes_say_what_limits_the_comparison(sqlite):
    see(sqlite, 0, "Soup")
    new = replace(DAILY, sources=("hf", "blog"))
    notes = compared(sqlite, [DAILY], [new], 0).notes
    assert notes[0] == "the first paper of the source hf was seen 2026-05-04"
    assert notes[1] == "no papers are stored of the source blog, so no edition has any of it"
    assert notes[2].endswith("1,000 papers are needed to learn them, and there are 1")
    quiet = replace(DAILY, topics=(replace(SOUP, learn=False),))
    assert len(compared(sqlite, [quiet], [quiet], 0).notes) == 1


def test_stored_models_are_used_and_missing_ones_are_learned_in_memory(sqlite, monkeypatch):
    see(sqlite, 0, "Broth from bones", "Cache")
    model = dump(TopicModel(weights={"broth": 9.0}, slope=4.0, offset=-3.0))
    stored = Learned(model=model, papers=2000, learned_on=MONDAY.date())
    with sqlite.begin() as connection:
        topic_models.replace_all(connection, {fingerprint(SOUP): stored})
    new_topic = Topic(name="Stock", keywords=("stock",))
    asked = []

    def learn(material):
        asked.append((len(material.papers), list(material.topics)))
        return [model for _ in material.topics]

    monkeypatch.setattr("digestmail.editions.topic_learning.FEWEST_PAPERS", 1)
    monkeypatch.setattr("digestmail.editions.topic_learning.learn_here", learn)
    old, new = (replace(DAILY, topics=(one,), also_trending=False) for one in (SOUP, new_topic))
    (found,) = compared(sqlite, [old], [new], 0).digests
    assert asked == [(2, [new_topic])]
    (slot,) = (slot for slot in found.slots if slot.both)
    assert titles(slot.both) == ["Broth from bones"]
    with sqlite.connect() as connection:
        assert topic_models.by_fingerprint(connection, [fingerprint(new_topic)]) == {}


def test_a_slot_without_papers_is_composed_again_until_it_closes(sqlite):
    see(sqlite, 0, "Soup one")
    see(sqlite, 1, "Soup two", hour=2)
    (found,) = compared(sqlite, [DAILY], [DAILY], 2).digests
    sent = {slot.slot: titles(slot.both) for slot in found.slots}
    assert sent["2026-05-05"] == ["Soup two"]
    assert sent["2026-05-06"] == []
