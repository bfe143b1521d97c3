"""The section "For you" while other things happen: erasures, odd settings, configurations that change."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from corpus import FIELDS, abstract
from fakes import THURSDAY, FakeSource, paper, reading, sighting
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import DAILY, DAY, Readers, mixed, numbers_of, others, picked
from sqlalchemy import select, text

from digestmail.collect.collector import collect
from digestmail.editions import enqueue as publishing
from digestmail.errors import SubscriptionError
from digestmail.model.digests import Digest, Limits, OnEmpty
from digestmail.model.papers import PaperId, Sighting
from digestmail.model.personal import KnownPaper, Profile, ReadingListKind
from digestmail.model.selection import PersonalSection
from digestmail.model.subscribers import Subscription
from digestmail.selection.phrases import compile_phrase, occurs_in
from digestmail.selection.tokenize import read
from digestmail.storage import papers, picks, profiles, reading_lists, subscribers
from digestmail.storage import schema as tables
from digestmail.storage.database import Database
from digestmail.subscribers import data_export, interests
from digestmail.subscribers import feedback as answers


@pytest.fixture
def world(database) -> Readers:
    """Three readers, each with a reading list about optics, on their first day."""
    world = Readers(database)
    world.see(mixed(0, 24))
    for name in ("ada", "ben", "cid"):
        world.add(name)
        own = [KnownPaper(title=f"A draft of {name}", abstract=abstract("optics", Random(1)))]
        with database.begin() as connection:
            reading_lists.add(connection, world.ids[name], ReadingListKind.FILE, "a.bib", own, THURSDAY, complete=True)
    return world


def waits(database: Database, thread: threading.Thread) -> bool:
    """Return whether a thread's transaction waits for a lock, or is over. SQLite has one writer, so it always waits."""
    if not thread.is_alive() or database.dialect == "sqlite":
        return True
    with database.connect() as connection:
        return bool(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar())


@pytest.mark.parametrize("moment", ["before the picks", "between picks and deliveries", "after the deliveries"])
@pytest.mark.parametrize("first", [True, False], ids=["first email", "second email"])
def test_a_reader_who_is_erased_while_an_edition_is_published_leaves_nothing(world, monkeypatch, moment, first):
    now = THURSDAY
    if not first:
        world.publish()
        now = THURSDAY + DAY
        world.see(mixed(100, 24), now)
    erasing = threading.Thread(
        target=data_export.erase,
        args=(world.database, world.ids["ben"], now),
        kwargs={"random_token": lambda: "a key"},
    )

    def begin() -> None:
        if erasing.ident is None:
            erasing.start()
            while not waits(world.database, erasing):
                time.sleep(0.01)

    def wrapped(function, *, after: bool):
        def run(*args, **kwargs):
            if not after:
                begin()
            result = function(*args, **kwargs)
            if after:
                begin()
            return result

        return run

    if moment == "before the picks":
        monkeypatch.setattr(publishing.received, "earlier", wrapped(publishing.received.earlier, after=True))
    else:
        enqueue = wrapped(publishing.deliveries.enqueue, after=moment.startswith("after"))
        monkeypatch.setattr(publishing.deliveries, "enqueue", enqueue)
    (report,) = world.publish(now=now)
    erasing.join()
    assert report.status == "published", report.reason
    with world.database.connect() as connection:
        d, r = tables.deliveries.c, tables.pick_reasons.c
        mine = connection.execute(select(d.picks, d.due_at).where(d.subscriber_id == world.ids["ben"])).all()
        assert all((row.picks, row.due_at) == (None, None) for row in mine)
        assert not connection.execute(select(r.number).where(r.subscriber_id == world.ids["ben"])).all()
        assert "A draft of ben" not in connection.execute(select(r.title)).scalars().all()
    assert picked(world.email("ada", DAILY, now.date().isoformat()))


def test_an_email_of_one_paper_is_the_pick_and_followed_authors_may_exceed_it(world):
    one = replace(DAILY, limits=Limits(max_papers=1), for_you=5)
    world.publish(one)
    assert [len(picked(world.email("ada", one))), others(world.email("ada", one))] == [1, []]
    said = Profile(authors=("Ada Example",), exploration=0.0)
    interests.save(world.database, world.ids["ben"], said, THURSDAY)
    seen = [sighting(number, day=(THURSDAY + DAY).date(), authors=("A. Example",)) for number in range(100, 103)]
    collect(world.database, [FakeSource("hf", reading(*seen))], THURSDAY + DAY)
    single = replace(one, for_you=1)
    world.publish(single, now=THURSDAY + DAY)
    assert set(picked(world.email("ben", single, "2026-04-03"))) == {100, 101, 102}


def test_more_picks_than_papers_and_fewer_papers_than_picks(database):
    world = Readers(database)
    world.add("ada")
    world.see({900: "optics"}, THURSDAY - DAY)
    world.rate("ada", 900)
    world.see(mixed(0, 3))
    many = replace(DAILY, for_you=50)
    (report,) = world.publish(many)
    assert report.status == "published"
    sections = world.email("ada", many)
    assert sorted([*picked(sections), *others(sections)]) == [0, 1, 2, 900]
    assert picked(sections)
    assert 900 in others(sections), "what was rated is not picked"


def test_an_author_or_reason_of_two_editions_is_never_mixed_up(world, monkeypatch):
    interests.save(world.database, world.ids["ada"], Profile(interests="court statute", exploration=0.0), THURSDAY)
    world.publish()
    interests.save(world.database, world.ids["ada"], Profile(interests="melody chord", exploration=0.0), THURSDAY)
    world.see(mixed(100, 24), THURSDAY + DAY)
    world.publish(now=THURSDAY + DAY)
    shown = [
        (slot, number, why)
        for slot in ("2026-04-02", "2026-04-03")
        for section in world.email("ada", slot=slot)[:1]
        for number, why in zip(numbers_of(section), section.reasons, strict=True)
    ]
    for at_once in (1, 50):
        monkeypatch.setattr(picks, "_EDITIONS_AT_ONCE", at_once)
        with world.database.connect() as connection:
            found = list(picks.of(connection, world.ids["ada"]))
        assert [(one.slot, int(one.paper_id.rpartition(".")[2]), one.reason) for one in found] == shown


def test_two_digests_of_one_run_pick_different_papers_and_a_renamed_digest_picks_no_old_ones(world):
    with world.database.begin() as connection:
        for name in ("second", "renamed"):
            subscribers.subscribe(connection, world.ids["ada"], Subscription(digest=name), THURSDAY)
    second = replace(DAILY, name="second")
    assert [one.status for one in world.publish(DAILY, second)] == ["published"] * 2
    got = [*numbers_in(world, "ada", DAILY), *numbers_in(world, "ada", second)]
    assert len(got) == len(set(got))
    world.see(mixed(100, 8), THURSDAY + DAY)
    renamed = replace(DAILY, name="renamed")
    world.publish(renamed, now=THURSDAY + DAY)
    assert picked(world.email("ada", renamed, "2026-04-03"))
    assert not set(got) & set(numbers_in(world, "ada", renamed, "2026-04-03"))
    assert len(data_export.export(world.database, world.ids["ada"]).picks) > len(picked(world.email("ada")))


def numbers_in(world: Readers, name: str, of: Digest, slot: str = "2026-04-02") -> list[int]:
    sections = world.email(name, of, slot)
    return [*picked(sections), *others(sections)]


def test_a_paper_that_was_withdrawn_after_it_was_picked_stays_in_the_email_and_can_be_rated(world):
    world.publish()
    before = world.email("ada")
    number, position = numbers_of(before[0])[0], before[0].positions[0]
    gone = sighting(number, title="[Withdrawn]", abstract="", day=THURSDAY.date())
    collect(world.database, [FakeSource("hf", reading(gone))], THURSDAY)
    assert world.email("ada") == before
    named = answers.PaperInEdition(digest="daily", slot="2026-04-02", position=position)
    answers.give(world.database, world.ids["ada"], named, THURSDAY, liked=True)
    world.see(mixed(100, 24), THURSDAY + DAY)
    world.publish(now=THURSDAY + DAY)
    assert picked(world.email("ada", slot="2026-04-03")), "a liked paper without a text is no obstacle"


ODD = st.text(max_size=30) | st.sampled_from(["laser photon", "\u202e", "e\u0301", "{{x}}", "İstanbul", "study", "a"])
PERSON = st.sampled_from(["Person 1", "P. 2", "3, Person", "Zoë Étude", "李 明", "X", "Person 4, Jr."]) | ODD
SAID = st.fixed_dictionaries(
    {
        "interests": st.lists(ODD | st.sampled_from(" ".join(FIELDS.values()).split()), max_size=6).map(" ".join),
        "authors": st.lists(PERSON, max_size=4),
        "blocked": st.lists(ODD, max_size=3),
        "exploration": st.sampled_from(interests.EXPLORATIONS),
        "list": st.lists(st.integers(0, 30), max_size=4),
        "merge": st.tuples(st.integers(0, 30), st.integers(0, 30)),
        "papers": st.integers(0, 9),
        "most": st.sampled_from([1, 2, 25]),
        "for_you": st.sampled_from([1, 3, 50]),
        "personal": st.booleans(),
        "send": st.booleans(),
        "digest": st.sampled_from(["daily", "renamed"]),
    }
)


@given(st.lists(SAID, min_size=2, max_size=4))
@settings(max_examples=15, deadline=None)
def test_whatever_a_profile_contains_no_known_blocked_or_received_paper_is_picked(sqlite_template, days):
    with TemporaryDirectory() as directory:
        shutil.copy(sqlite_template, Path(directory) / "life.db")
        database = Database.open("sqlite:///life.db", base=Path(directory))
        try:
            live(Readers(database), days)
        finally:
            database.close()


def live(world: Readers, days: list[dict]) -> None:
    ada = world.add("ada", "daily", "renamed")
    shown, received, lists = 0, set(), set()
    for day, said in enumerate(days):
        now = THURSDAY + day * DAY
        for number in range(shown, shown + said["papers"]):
            text = abstract(list(FIELDS)[number % len(FIELDS)], Random(number))
            seen = sighting(number, day=now.date(), abstract=text, authors=(f"Person {number % 6}", "Zoë Étude"))
            collect(world.database, [FakeSource("hf", reading(seen))], now - timedelta(hours=1))
        shown += said["papers"]
        if said["merge"][0] != said["merge"][1] and max(said["merge"]) < shown:
            merge(world, said["merge"], day, now)
        with suppress(SubscriptionError):
            profile = interests.checked(said["interests"], said["authors"], said["blocked"], said["exploration"])
            interests.save(world.database, ada, profile, now)
        with world.database.begin() as connection:
            own = [KnownPaper(title=f" PAPER {number}") for number in said["list"]]
            reading_lists.add(connection, ada, ReadingListKind.FILE, f"{day}.bib", own, now, complete=True)
        lists |= set(said["list"])
        on_empty = OnEmpty.SEND if said["send"] else OnEmpty.SKIP
        fields = {name: said[name] for name in ("for_you", "personal")}
        of = replace(DAILY, name=said["digest"], on_empty=on_empty, limits=Limits(max_papers=said["most"]), **fields)
        (report,) = world.publish(of, now=now)
        assert report.status in {"published", "empty"}, report.reason
        if not report.recipients:
            continue
        sections = world.email("ada", of, now.date().isoformat())
        assert not set(picked(sections)) & lists
        with world.database.connect() as connection:
            stays = {
                row.id: row.stays
                for row in connection.execute(select(tables.papers.c.id, papers.staying_row().label("stays")))
            }
            ids = [paper(number).id for number in [*picked(sections), *others(sections)]]
            rows = list(papers.row_ids(connection, ids).values())
            blocked = profiles.of(connection, ada).blocked_words
        assert not set(rows) & {stays[row] for row in received}
        received |= set(rows)
        texts = [
            entry.paper for section in sections if isinstance(section, PersonalSection) for entry in section.entries
        ]
        assert not any(occurs_in(compile_phrase(word), read(one)) for one in texts for word in blocked)


def merge(world: Readers, numbers: tuple[int, int], day: int, now: datetime) -> None:
    """Let a source show both papers under the same DOI."""
    for number in numbers:
        with world.database.begin() as connection:
            known = papers.by_ids(connection, [paper(number).id])[paper(number).id]
            both = replace(known, aliases=(*known.aliases, PaperId(f"doi:10.1000/{day}")))
            papers.add_sightings(connection, [Sighting(source="hf", paper=both, day=now.date())], now)
